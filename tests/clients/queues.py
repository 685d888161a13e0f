"""What programs do with Celery and RQ, against the server on the port given: `queues.py PORT`.

Celery's workers poll several lists at once, keep what they have taken in sorted sets until it is acknowledged, and answer by
publishing; RQ's fork for each job, and hear orders on a channel. Each function is one way to use queues.
"""

import sys

if __name__ == "__main__":
    # RQ finds functions by the name of their module, which must not be the main one.
    sys.dont_write_bytecode = True
    import queues

    sys.exit(queues.main())

import datetime
import multiprocessing
import time

import redis
from celery import Celery, chain, chord, group
from celery.contrib.testing.worker import start_worker
from celery.exceptions import TaskRevokedError
from rq import Callback, Queue, Retry, Worker
from rq.command import send_shutdown_command, send_stop_job_command
from rq.job import Dependency
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

PORT = int(sys.argv[1])
PATIENCE = 30


def wait_until(what, condition):
    """Polls until `condition` holds: nothing here sleeps for luck."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


app = Celery("queues", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(
    task_default_queue="tasks",
    task_track_started=True,
    task_acks_late=True,
    worker_prefetch_multiplier=2,
    worker_send_task_events=True,
    task_send_sent_event=True,
    broker_transport_options={
        "queue_order_strategy": "priority",
        "priority_steps": [0, 3, 6, 9],
        "visibility_timeout": 60,
    },
)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True)
def tries(self, failures):
    if self.request.retries < failures:
        raise self.retry(countdown=0.01, max_retries=failures)
    return self.request.retries


@app.task
def fails():
    raise ValueError("as told")


@app.task(bind=True)
def reports(self):
    self.update_state(state="PROGRESS", meta={"percent": 50})
    wait_until("it may go on", lambda: redis.Redis(port=PORT).exists("go on"))
    return "done"


def celery_tasks():
    results = [add.delay(n, 1) for n in range(30)]
    assert [result.get(timeout=PATIENCE) for result in results] == list(range(1, 31))
    assert [add.apply_async((n, n), priority=n).get(timeout=PATIENCE) for n in range(10)] == list(range(0, 20, 2))
    assert add.apply_async((3, 4), countdown=0.1).get(timeout=PATIENCE) == 7
    expired = add.apply_async((1, 1), expires=-5)
    assert isinstance(expired.get(timeout=PATIENCE, propagate=False), TaskRevokedError)
    assert tries.delay(2).get(timeout=PATIENCE) == 2
    failed = fails.delay()
    assert isinstance(failed.get(timeout=PATIENCE, propagate=False), ValueError) and failed.state == "FAILURE"
    progress = reports.delay()
    wait_until("it reports", lambda: progress.state == "PROGRESS" and progress.info == {"percent": 50})
    redis.Redis(port=PORT).set("go on", "now")
    assert progress.get(timeout=PATIENCE) == "done"
    progress.forget()
    assert progress.state == "PENDING"


def celery_canvas():
    assert group(add.s(n, n) for n in range(10))().get(timeout=PATIENCE) == list(range(0, 20, 2))
    assert chain(add.s(1, 2), add.s(3), add.s(4))().get(timeout=PATIENCE) == 10
    assert chord((add.s(n, n) for n in range(10)), total.s())().get(timeout=PATIENCE) == 90
    assert chord([chain(add.s(1, 1), add.s(1)), add.s(5, 5)], total.s())().get(timeout=PATIENCE) == 13
    assert add.chunks([(n, n) for n in range(5)], 2).delay().get(timeout=PATIENCE) == [[0, 2], [4, 6], [8]]
    saved = group(add.s(1, 1), add.s(2, 2))()
    saved.save()
    assert app.GroupResult.restore(saved.id).get(timeout=PATIENCE) == [2, 4]
    assert sum(group(add.s(n, n) for n in range(300))().get(timeout=PATIENCE)) == 89_700


def celery_control():
    inspect = app.control.inspect(timeout=1, limit=1)
    assert len(inspect.ping()) == 1
    (registered,) = inspect.registered().values()
    assert any(name.endswith(".add") for name in registered)
    [reply] = app.control.add_consumer("third", reply=True, timeout=1, limit=1)
    assert [answer["ok"] for answer in reply.values()] == ["add consumer third"]
    assert add.apply_async((9, 9), queue="third").get(timeout=PATIENCE) == 18
    late = add.apply_async((1, 1), countdown=3600)
    wait_until("it is held", lambda: any(inspect.scheduled().values()))
    late.revoke()
    assert redis.Redis(port=PORT).zcard("unacked_index") >= 1
    assert add.apply_async((1, 1), queue="nobody") and app.control.purge() >= 0


def failed(job, connection, *_):
    connection.incr("failed")


def succeeded(job, connection, *_):
    connection.incr("succeeded")


def raises():
    raise ValueError("as told")


def rq_jobs():
    connection = redis.Redis(port=PORT)
    high, low = Queue("high", connection=connection), Queue("low", connection=connection)
    jobs = [high.enqueue(pow, n, 2, meta={"n": n}) for n in range(10)]
    bad = high.enqueue(raises, retry=Retry(max=2), on_failure=Callback(failed))
    after = low.enqueue(pow, 10, 3, depends_on=jobs[3], on_success=Callback(succeeded))
    either = Dependency(jobs=[jobs[1], bad], allow_failure=True, enqueue_at_front=True)
    regardless = low.enqueue(pow, 2, 3, depends_on=either)
    never = low.enqueue(pow, 1, 1, depends_on=bad)
    many = high.enqueue_many([Queue.prepare_data(pow, (2, n), job_id=f"many-{n}") for n in range(5)])
    later = high.enqueue_in(datetime.timedelta(hours=1), pow, 7, 2)
    high.enqueue(pow, 0, 0, job_id="cancelled").cancel()
    assert len(high) == 16 and ScheduledJobRegistry("high", connection=connection).count == 1
    Worker([high, low], connection=connection).work(burst=True, logging_level="ERROR")
    assert [job.return_value() for job in jobs] == [n * n for n in range(10)]
    assert [job.return_value() for job in many] == [1, 2, 4, 8, 16]
    assert after.return_value() == 1000 and regardless.return_value() == 8
    assert connection.mget("failed", "succeeded") == [b"3", b"1"]
    assert bad.get_status() == "failed" and never.get_status() == "deferred" and later.get_status() == "scheduled"
    assert FailedJobRegistry("high", connection=connection).count == 1
    assert FinishedJobRegistry("high", connection=connection).count == 15


def rq_worker(port):
    Worker(["high"], connection=redis.Redis(port=port), name="other").work(logging_level="ERROR")


def rq_orders():
    connection = redis.Redis(port=PORT)
    high = Queue("high", connection=connection)
    process = multiprocessing.Process(target=rq_worker, args=(PORT,), daemon=True)
    process.start()
    slow, quick = high.enqueue(time.sleep, 600), high.enqueue(pow, 2, 2)
    wait_until("it has begun", lambda: slow.get_status() == "started")
    worker = Worker.find_by_key("rq:worker:other", connection=connection)
    wait_until("the worker says so", lambda: worker.get_current_job_id() == slow.id)
    # An order is for whoever listens already.
    wait_until("it listens", lambda: connection.pubsub_numsub("rq:pubsub:other")[0][1] == 1)
    send_stop_job_command(connection, slow.id)
    wait_until("it is stopped", lambda: slow.get_status() == "stopped")
    wait_until("the next is done", lambda: quick.return_value() == 4)
    send_shutdown_command(connection, "other")
    process.join(PATIENCE)
    assert process.exitcode == 0


def run(*scripts):
    for script in scripts:
        try:
            script()
        except BaseException:
            print(f"{script.__name__} fails", file=sys.stderr)
            raise
        print(f"ok: {script.__name__}")


def main():
    redis.Redis(port=PORT).flushall()
    run(rq_jobs, rq_orders)
    redis.Redis(port=PORT).flushall()
    worker = start_worker(
        app, pool="threads", concurrency=4, perform_ping_check=False, loglevel="ERROR", queues="tasks,nobody"
    )
    with worker:
        run(celery_tasks, celery_canvas, celery_control)
