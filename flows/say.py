"""Say: each breached handoff once, to whom the agreement names."""

import logging

from agreement.errors import VendorUnavailable
from connectors.clock import utc_now
from flows.measure import Measures
from flows.run import Run
from transforms.alerts import breach_alerts

log = logging.getLogger(__name__)


def say_alerts(run: Run, measures: Measures) -> int:
    """Store what is due, then send what was not sent yet; give the number of messages sent.

    A message is stored before it is sent, so that a crash between the two sends it again and never
    loses it. A receiver that does not answer stops the sending, not the night: the rest goes next
    time.
    """
    due = breach_alerts(measures.status, run.store.alerts_said())
    run.store.store_alerts(run.run_id, due, at=utc_now())
    sent = 0
    for alert in run.store.unsent_alerts():
        try:
            run.tell(
                run.agreement.alerts.route, alert.alert_key, alert.text, run.settings.webhook_url
            )
        except VendorUnavailable as error:
            log.warning("alerts_waiting reason=%s run_id=%s", error.what, run.run_id)
            break
        run.store.mark_alert_sent(alert.alert_key, at=utc_now())
        sent += 1
    return sent
