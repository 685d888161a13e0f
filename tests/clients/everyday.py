"""What programs do with redis-py, against the server on the port given: `everyday.py PORT`.

Each function is one way to use a server, and says so when it is wrong by an assertion. All run once a protocol.
"""

import sys
import threading
import time

import redis

PATIENCE = 30


def wait_until(what, condition):
    """Polls until `condition` holds: nothing here sleeps for luck."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.002)


class Player(threading.Thread):
    """A second client at work meanwhile. Its failure is the script's: `join` raises it."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.failure, self.result = work, None, None
        self.start()

    def run(self):
        try:
            self.result = self.work()
        except BaseException as failure:
            self.failure = failure

    def outcome(self):
        self.join(PATIENCE)
        assert not self.is_alive(), "it still waits"
        if self.failure:
            raise self.failure
        return self.result


def strings_and_expiry(connect, _):
    client = connect()
    assert client.set("greeting", "hello", ex=100)
    assert client.get("greeting") == "hello"
    assert 98 <= client.ttl("greeting") <= 100
    assert client.set("greeting", "again", nx=True) is None
    assert client.set("greeting", "again", xx=True, get=True, keepttl=True) == "hello"
    assert client.persist("greeting") and client.ttl("greeting") == -1
    assert client.getex("greeting", px=60_000) == "again"
    assert 0 < client.pttl("greeting") <= 60_000
    assert client.incrby("counter", 41) == 41 and client.incr("counter") == 42
    assert client.incrbyfloat("ratio", 0.1) == 0.1
    assert client.mset({"a": 1, "b": 2}) and client.mget("a", "b", "none") == ["1", "2", None]
    assert client.getdel("a") == "1" and not client.exists("a")
    client.set("brief", "x", px=15)
    wait_until("the key expires", lambda: client.get("brief") is None)
    assert client.expire("counter", 1000, nx=True) and not client.expire("counter", 500, gt=True)
    try:
        client.lpush("greeting", "x")
        raise AssertionError("a string is no list")
    except redis.ResponseError as error:
        assert str(error).startswith("WRONGTYPE")


def pipelines(connect, _):
    client = connect()
    with client.pipeline(transaction=False) as pipe:
        for number in range(5000):
            pipe.set(f"key:{number}", number)
        assert all(pipe.execute())
    seen = set(client.scan_iter(match="key:*", count=100))
    assert seen == {f"key:{number}" for number in range(5000)}
    with client.pipeline(transaction=False) as pipe:
        pipe.incr("n").lpush("n", "x").incr("n")
        first, wrong, second = pipe.execute(raise_on_error=False)
        assert (first, second) == (1, 2) and isinstance(wrong, redis.ResponseError)


def transactions(connect, _):
    client, other = connect(), connect()
    client.set("stock", 5)
    attempts = 0

    def buy(pipe):
        nonlocal attempts
        attempts += 1
        left = int(pipe.get("stock"))
        if attempts == 1:
            other.decr("stock")
        pipe.multi()
        pipe.set("stock", left - 1)
        pipe.rpush("orders", "one")

    assert client.transaction(buy, "stock") == [True, 1]
    assert attempts == 2 and client.get("stock") == "3"
    with client.pipeline() as pipe:
        pipe.watch("stock")
        other.set("stock", 9)
        pipe.multi()
        pipe.incr("stock")
        try:
            pipe.execute()
            raise AssertionError("somebody else wrote")
        except redis.WatchError:
            pass
    with client.pipeline() as pipe:
        pipe.set("inside", 1).lpush("inside", "x").incr("inside")
        stored, wrong, counted = pipe.execute(raise_on_error=False)
        assert stored and counted == 2 and isinstance(wrong, redis.ResponseError)

    def add_one(pipe):
        found = int(pipe.get("sum") or 0)
        pipe.multi()
        pipe.set("sum", found + 1)

    def add_fifty():
        mine = connect()
        for _ in range(50):
            mine.transaction(add_one, "sum")

    # Optimistic increments from several clients: none is lost.
    for player in [Player(add_fifty) for _ in range(3)]:
        player.outcome()
    assert client.get("sum") == "150"


def publish_and_subscribe(connect, _):
    client, publisher = connect(), connect()

    def next_message(listener):
        found = None

        def look():
            nonlocal found
            found = listener.get_message(timeout=0.1)
            return found is not None

        wait_until("a message comes", look)
        return found["type"], found["channel"], found["data"]

    with client.pubsub() as listener:
        listener.subscribe("news", "sport")
        listener.psubscribe("n?ws*")
        for expected in [("subscribe", "news", 1), ("subscribe", "sport", 2), ("psubscribe", "n?ws*", 3)]:
            assert next_message(listener) == expected
        assert publisher.publish("news", "hello") == 2
        assert next_message(listener) == ("message", "news", "hello")
        assert next_message(listener) == ("pmessage", "news", "hello")
        assert set(publisher.pubsub_channels()) == {"news", "sport"}
        assert [tuple(pair) for pair in publisher.pubsub_numsub("news", "none")] == [("news", 1), ("none", 0)]
        assert publisher.pubsub_numpat() == 1
        listener.unsubscribe("news")
        assert next_message(listener) == ("unsubscribe", "news", 2)
    raw = connect()
    with raw.pubsub() as listener:
        listener.execute_command("SSUBSCRIBE", "orders")
        assert listener.parse_response(timeout=PATIENCE) == ["ssubscribe", "orders", 1]
        assert publisher.execute_command("SPUBLISH", "orders", "42") == 1
        assert listener.parse_response(timeout=PATIENCE) == ["smessage", "orders", "42"]
    client.config_set("notify-keyspace-events", "KEA")
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("__keyevent@0__:*")
        listener.get_message(timeout=PATIENCE)
        publisher.set("noted", "x", px=20)
        assert next_message(listener)[1:] == ("__keyevent@0__:set", "noted")
        assert next_message(listener)[1:] == ("__keyevent@0__:expire", "noted")
        assert next_message(listener)[1:] == ("__keyevent@0__:expired", "noted")
    client.config_set("notify-keyspace-events", "")


def streams(connect, _):
    client, worker = connect(), connect()
    one = client.xadd("events", {"kind": "login", "who": "ada"})
    client.xadd("events", {"kind": "logout"}, maxlen=1000, approximate=True)
    assert client.xlen("events") == 2
    assert client.xrange("events", count=1) == [(one, {"kind": "login", "who": "ada"})]
    assert client.xgroup_create("events", "workers", id="0")
    assert client.xgroup_create("jobs", "workers", id="$", mkstream=True)

    def entries(reply):
        items = reply.items() if isinstance(reply, dict) else reply
        flat = []
        for _, batches in items:
            for batch in batches:
                # RESP3's lists of entries come wrapped once more than RESP2's.
                flat.extend(batch if isinstance(batch, list) else [batch])
        return [(entry[0], entry[1]) for entry in flat]

    taken = entries(client.xreadgroup("workers", "alice", {"events": ">"}, count=10))
    assert len(taken) == 2 and taken[0][0] == one
    assert client.xack("events", "workers", one) == 1
    summary = client.xpending("events", "workers")
    assert summary["pending"] == 1 and summary["consumers"][0]["name"] == "alice"
    (pending,) = client.xpending_range("events", "workers", "-", "+", 10)
    assert pending["consumer"] == "alice" and pending["times_delivered"] == 1
    (claimed,) = client.xclaim("events", "workers", "bob", 0, [pending["message_id"]])
    assert claimed[1] == {"kind": "logout"}
    assert client.xautoclaim("events", "workers", "carol", 0, "0-0")[1][0][0] == claimed[0]
    assert client.xinfo_stream("events")["length"] == 2
    assert client.xinfo_groups("events")[0]["pending"] == 1
    assert {consumer["name"] for consumer in client.xinfo_consumers("events", "workers")} == {"alice", "bob", "carol"}
    waiting = Player(lambda: worker.xreadgroup("workers", "dave", {"jobs": ">"}, block=PATIENCE * 1000))
    wait_until("the worker waits", lambda: client.info("clients")["blocked_clients"] == 1)
    job = client.xadd("jobs", {"n": 1})
    assert entries(waiting.outcome()) == [(job, {"n": "1"})]
    assert not client.xreadgroup("workers", "dave", {"jobs": ">"}, block=5)
    waiting = Player(lambda: worker.xread({"events": "$"}, block=PATIENCE * 1000))
    wait_until("the reader waits", lambda: client.info("clients")["blocked_clients"] == 1)
    newest = client.xadd("events", {"kind": "late"})
    assert entries(waiting.outcome())[0][0] == newest
    assert client.xtrim("events", maxlen=1, approximate=False) == 2


def blocking_pops(connect, _):
    client, worker = connect(), connect()

    def serve(wait, offer):
        waiting = Player(wait)
        wait_until("somebody waits", lambda: client.info("clients")["blocked_clients"] == 1)
        offer()
        return waiting.outcome()

    popped = serve(lambda: worker.blpop(["q1", "q2"], timeout=PATIENCE), lambda: client.rpush("q2", "job"))
    assert tuple(popped) == ("q2", "job")
    moved = serve(lambda: worker.blmove("from", "to", PATIENCE), lambda: client.rpush("from", "x"))
    assert moved == "x" and client.lrange("to", 0, -1) == ["x"]
    popped = serve(lambda: worker.bzpopmin("scores", timeout=PATIENCE), lambda: client.zadd("scores", {"a": 1.5}))
    assert tuple(popped) == ("scores", "a", 1.5)
    assert worker.blpop("nothing", timeout=0.01) is None
    popped = serve(
        lambda: worker.blmpop(PATIENCE, 1, "many", direction="LEFT", count=2),
        lambda: client.rpush("many", 1, 2, 3),
    )
    assert popped == ["many", ["1", "2"]]


def collections(connect, _):
    client = connect()
    assert client.hset("user", mapping={"name": "ada", "born": 1815}) == 2
    assert client.hgetall("user") == {"name": "ada", "born": "1815"}
    assert client.hincrby("user", "born", 1) == 1816
    client.hset("big", mapping={f"f{n}": n for n in range(3000)})
    assert len(dict(client.hscan_iter("big"))) == 3000
    client.sadd("tags", *range(1000))
    assert set(client.sscan_iter("tags")) == {str(n) for n in range(1000)}
    assert client.sinter("tags", "tags") == client.smembers("tags") and client.sismember("tags", 5)
    client.zadd("board", {f"p{n}": n for n in range(1000)})
    assert client.zrange("board", 0, 1, desc=True, withscores=True)[0][0] == "p999"
    assert client.zrangebyscore("board", "(997", "+inf") == ["p998", "p999"]
    assert client.zrank("board", "p10") == 10 and client.zincrby("board", 0.5, "p10") == 10.5
    assert len(list(client.zscan_iter("board"))) == 1000
    assert client.zadd("board", {"p10": 1}, lt=True, ch=True) == 1
    client.rpush("list", *"abcde")
    assert client.lrange("list", 1, -2) == ["b", "c", "d"] and client.lpos("list", "c") == 2
    assert client.sort("tags", num=3, start=0, desc=True) == ["999", "998", "997"]
    assert client.type("board") == "zset" and client.object("encoding", "user") == "listpack"
    copy = client.dump("board")
    assert client.copy("board", "again") and client.zcard("again") == 1000 and copy is not None


def places_counts_and_bits(connect, _):
    client = connect()
    client.geoadd("sicily", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"])
    assert round(client.geodist("sicily", "Palermo", "Catania", unit="km")) == 166
    found = client.geosearch("sicily", longitude=15, latitude=37, radius=200, unit="km", sort="ASC", withdist=True)
    assert [place[0] for place in found] == ["Catania", "Palermo"]
    assert client.geohash("sicily", "Palermo") == ["sqc8b49rny0"]
    client.pfadd("visitors", *range(1000))
    assert 950 < client.pfcount("visitors") < 1050
    client.pfadd("more", "x", "y")
    assert client.pfmerge("all", "visitors", "more") and client.pfcount("all") > client.pfcount("more")
    client.setbit("bits", 7, 1)
    client.setbit("other", 6, 1)
    assert client.bitop("OR", "either", "bits", "other") and client.bitcount("either") == 2
    assert client.bitpos("bits", 1) == 7
    field = client.bitfield("counters")
    assert field.set("u8", 0, 250).incrby("u8", 0, 10, overflow="SAT").get("u8", 0).execute() == [0, 255, 255]


def tracking(connect, protocol):
    """Client-side caching: who has read a key is told when it changes. The library's own cache wants a server that says
    it is Redis 7.4, so this is the same by hand: a push with RESP3, a message to another connection with RESP2."""
    reader, other = connect(single_connection_client=True), connect()
    other.set("cached", "one")
    if protocol == 3:
        pushes = []
        reader.connection._parser.set_invalidation_push_handler(pushes.append)
        assert reader.client_tracking_on()
        assert reader.get("cached") == "one"
        other.set("cached", "two")
        # It comes before the reply to what was sent later.
        assert reader.ping()
        assert [keys for _, keys in pushes] == [["cached"]]
    else:
        with other.pubsub() as listener:
            listener.execute_command("CLIENT", "ID")
            listener_id = listener.parse_response(timeout=PATIENCE)
            listener.subscribe("__redis__:invalidate")
            listener.get_message(timeout=PATIENCE)
            assert reader.client_tracking_on(clientid=listener_id)
            assert reader.get("cached") == "one"
            connect().set("cached", "two")
            message = listener.get_message(timeout=PATIENCE)
            assert (message["type"], message["data"]) == ("message", ["cached"])
    assert reader.client_tracking_off()


def run(port, protocol):
    clients = []

    def connect(**options):
        client = redis.Redis(port=port, protocol=protocol, decode_responses=True, **options)
        clients.append(client)
        return client

    scripts = [
        strings_and_expiry,
        pipelines,
        transactions,
        publish_and_subscribe,
        streams,
        blocking_pops,
        collections,
        places_counts_and_bits,
        tracking,
    ]
    for script in scripts:
        connect().flushall()
        try:
            script(connect, protocol)
        except BaseException:
            print(f"{script.__name__} with RESP{protocol} fails", file=sys.stderr)
            raise
        for client in clients:
            client.close()
        clients.clear()
        print(f"ok: {script.__name__} with RESP{protocol}")


for protocol in (2, 3):
    run(int(sys.argv[1]), protocol)
