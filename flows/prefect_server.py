"""What a Prefect server needs for Tandem: `python -m flows.prefect_server`, safe to repeat.

Work pool and queues, the forms of our blocks, the block that carries messages to ops, and the
automations of deploy/automations.yaml. Whatever is there already is brought up to date by its name.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import yaml
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from connectors.settings import Settings, load_settings
from flows.blocks import BLOCKS

AUTOMATIONS = Path(__file__).parents[1] / "deploy" / "automations.yaml"
POOL = "tandem"
# 1 is served first: a clock that runs out does not wait for a night that is long.
QUEUES = {"urgent": 1, "bulk": 5}
OPS_BLOCK = "tandem-ops"


async def prepare(settings: Settings, file: Path = AUTOMATIONS) -> list[str]:
    """Bring the server up to date; give a line of what was done for each thing.

    An automation whose notification block is not there is registered without that action.
    """
    async with get_client() as client:
        done = [await _pool(client)]
        done += [await _queue(client, name, priority) for name, priority in QUEUES.items()]
        for block_type in BLOCKS:
            await block_type.aregister_type_and_schema()
            done.append(f"block type {block_type.get_block_type_slug()}")
        done.append(await _ops_block(client, settings))
        blocks = await _blocks_by_name(client)
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["automations"]:
            done.append(await _automation(client, entry, blocks))
    return done


async def _pool(client: PrefectClient) -> str:
    try:
        await client.read_work_pool(POOL)
    except ObjectNotFound:
        template = await get_default_base_job_template_for_infrastructure_type("process")
        pool = WorkPoolCreate(name=POOL, type="process", base_job_template=template or {})
        await client.create_work_pool(pool)
        return f"work pool {POOL}: made"
    return f"work pool {POOL}: there already"


async def _queue(client: PrefectClient, name: str, priority: int) -> str:
    try:
        queue = await client.read_work_queue_by_name(name, work_pool_name=POOL)
    except ObjectNotFound:
        await client.create_work_queue(name, priority=priority, work_pool_name=POOL)
        return f"work queue {POOL}/{name}: made"
    await client.update_work_queue(queue.id, priority=priority)
    return f"work queue {POOL}/{name}: there already"


async def _ops_block(client: PrefectClient, settings: Settings) -> str:
    """Keep the address of ops as a block, unless people have saved one of that name."""
    if OPS_BLOCK in await _blocks_by_name(client):
        return f"notification block {OPS_BLOCK}: there already"
    web = [
        address
        for address in settings.alert_addresses("ops")
        if address.get_secret_value().startswith(("http://", "https://"))
    ]
    if not web:
        return (
            f"notification block {OPS_BLOCK}: MISSING. Save one of that name under Blocks in "
            "Prefect, or set TANDEM_ALERT_OPS to a webhook, and run this again"
        )
    block = CustomWebhookNotificationBlock(
        name=OPS_BLOCK,
        url="{{address}}",
        secrets={"address": web[0].get_secret_value()},
        json_data={"text": "{{subject}}\n{{body}}"},
    )
    await block.asave(OPS_BLOCK, client=client)
    return f"notification block {OPS_BLOCK}: made"


async def _blocks_by_name(client: PrefectClient) -> dict[str, UUID]:
    """Find notification blocks of any type by their name."""
    found = await client.read_block_documents(block_schema_type="notify", include_secrets=False)
    return {block.name: block.id for block in found if block.name}


async def _automation(
    client: PrefectClient, entry: Mapping[str, Any], blocks: Mapping[str, UUID]
) -> str:
    """Replace an automation by its name, since the server would keep both; the rest of it goes."""
    wanted = AutomationCore.model_validate({**entry, "actions": _actions(entry["actions"], blocks)})
    found = await client.read_automations_by_name(wanted.name)
    for extra in found[1:]:
        await client.delete_automation(extra.id)
    if found:
        await client.update_automation(found[0].id, wanted)
    else:
        await client.create_automation(wanted)
    return f"automation {wanted.name}: {'replaced' if found else 'made'}"


def _actions(
    actions: Sequence[Mapping[str, Any]], blocks: Mapping[str, UUID]
) -> list[dict[str, Any]]:
    """Put the id of a block in place of its name; an action whose block is missing does nothing."""
    filled: list[dict[str, Any]] = []
    for action in actions:
        name = action.get("block")
        rest = {key: value for key, value in action.items() if key != "block"}
        if name is None:
            filled.append(rest)
        elif name in blocks:
            filled.append({**rest, "block_document_id": blocks[name]})
        else:
            filled.append({"type": "do-nothing"})
    return filled


def main() -> None:
    """Bring the server at PREFECT_API_URL up to date and say what was done."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else AUTOMATIONS
    for line in asyncio.run(prepare(load_settings(), file)):
        click.echo(line)


if __name__ == "__main__":
    main()
