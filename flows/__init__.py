"""What runs, and in which order; no rules of the business."""
