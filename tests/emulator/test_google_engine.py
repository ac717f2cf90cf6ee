"""Google's emulators run without gcloud, do their work, and leave no process behind."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.firestore_v1.types import Document, Value
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import PubsubMessage

from emulator.child import Child
from emulator.engine import EngineMissingError, EngineStartError
from emulator.google import GoogleEngine
from emulator.google_install import Installation, Jar, find

if TYPE_CHECKING:
    from emulator.engine import Engine

TOPIC = "projects/local/topics/engine-test"
SUBSCRIPTION = "projects/local/subscriptions/engine-test"
DOCUMENTS = "projects/local/databases/(default)/documents"


@pytest.fixture(scope="session")
def installation() -> Installation:
    """What is installed, or a skip that says what to install."""
    try:
        return find()
    except EngineMissingError as missing:
        pytest.skip(str(missing))


async def test_a_published_message_can_be_pulled(google_engine: Engine) -> None:
    async with grpc.aio.insecure_channel(google_engine.pubsub_host) as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        subscriber = SubscriberAsyncClient(
            transport=SubscriberGrpcAsyncIOTransport(channel=channel)
        )
        await publisher.create_topic(name=TOPIC)
        await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
        await publisher.publish(topic=TOPIC, messages=[PubsubMessage(data=b"hello")])
        pulled = await subscriber.pull(subscription=SUBSCRIPTION, max_messages=1)
        assert [each.message.data for each in pulled.received_messages] == [b"hello"]


async def test_a_written_document_can_be_read(google_engine: Engine) -> None:
    async with grpc.aio.insecure_channel(google_engine.firestore_host) as channel:
        client = FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=channel))
        written = Document(fields={"a": Value(integer_value=1)})
        await client.create_document(
            {
                "parent": DOCUMENTS,
                "collection_id": "engine",
                "document_id": "one",
                "document": written,
            }
        )
        read = await client.get_document({"name": f"{DOCUMENTS}/engine/one"})
        assert read.fields["a"].integer_value == 1


async def test_stopping_leaves_no_process(installation: Installation, tmp_path: Path) -> None:
    engine = GoogleEngine(installation)
    running = await engine.start(tmp_path)
    pids = [child.pid for child in engine._children]
    assert [alive(pid) for pid in pids] == [True, True]
    await engine.stop()
    await engine.stop()
    assert [alive(pid) for pid in pids] == [False, False]
    with pytest.raises(OSError, match="onnect"):
        await asyncio.open_connection(*running.pubsub_host.split(":"))


async def test_a_failed_start_quotes_the_log_and_leaves_no_process(
    installation: Installation, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jar"
    broken.write_bytes(b"no jar")
    engine = GoogleEngine(Installation(installation.java, installation.pubsub, Jar(broken, ())))
    with pytest.raises(EngineStartError) as caught:
        await engine.start(tmp_path)
    assert "firestore emulator ended with status 1 while starting" in str(caught.value)
    assert "CloudFirestore" in str(caught.value)
    assert not engine._children


async def test_an_emulator_that_never_answers_is_given_up(
    installation: Installation, tmp_path: Path
) -> None:
    engine = GoogleEngine(installation, start_limit=0.01)
    with pytest.raises(EngineStartError, match=r"did not answer on 127\.0\.0\.1:\d+ within 0.01 s"):
        await engine.start(tmp_path)


async def test_a_child_that_ignores_sigterm_is_killed_with_what_it_started(tmp_path: Path) -> None:
    stubborn = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(grandchild.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    child = await Child.start("stubborn", [sys.executable, "-c", stubborn], tmp_path / "log")
    grandchild = int(await first_line(child))
    await child.stop(grace=0.1)
    await until_gone(grandchild)
    assert not alive(child.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
async def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = (
        "import asyncio, pathlib, sys\n"
        "from emulator.child import Child\n"
        "async def main():\n"
        "    sleeper = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"    child = await Child.start('sleeper', sleeper, pathlib.Path({str(tmp_path)!r}, 'l'))\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    child = await Child.start("parent", [sys.executable, "-c", parent], tmp_path / "p", cwd=root)
    sleeper = int(await first_line(child))
    await child.stop(grace=0.0)
    await until_gone(sleeper)


async def first_line(child: Child) -> str:
    """Wait for the first line a child prints."""
    async with asyncio.timeout(20):
        while "\n" not in (text := child.log.read_text()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return text.splitlines()[0]


async def until_gone(pid: int) -> None:
    """Wait until a process that nobody here can wait for has ended."""
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
