import WasmSystem
import WasmdBroker
import WasmdEventLoop
import WasmdStorage

// What a broker carries on one loop: messages a second, the time from publishing to the subscriber, and
// the rate of durable topics.
//
//     swift run -c release --package-path Benchmarks measure-broker [FOLDER]
//
// FOLDER, an empty one, is where durable messages are written; without it they are not measured.

let topic = TopicName("telemetry") ?? TopicPattern.all.topic
guard let topic else { fatalError("no topic") }
let payload = [UInt8](repeating: UInt8(ascii: "x"), count: 100)

func seconds(_ start: UInt64) -> Double { Double(SystemClock.monotonic.now &- start) * 1e-9 }

/// Publishes through a broker to one subscriber that acknowledges, on one loop.
func rate(_ broker: Broker, _ count: Int, _ window: Int, on loop: EventLoop) async throws -> Double
{
    var options = SubscriptionOptions()
    options.acknowledges = true
    options.queue = count
    options.queueBytes = 1 << 30
    options.window = 1000
    let subscription = try broker.subscribe([.all], options)
    let start = SystemClock.monotonic.now
    let taking = loop.spawn {
        for _ in 0..<count {
            guard let delivery = try? await subscription.next() else { return }
            subscription.acknowledge(delivery)
        }
    }
    var publishers: [LoopTask<Void>] = []
    for _ in 0..<window {
        publishers.append(
            loop.spawn {
                for index in 0..<(count / window) {
                    try? await broker.publish(payload, to: topic)
                    _ = try? broker.read(topic)
                    if index % 32 == 31 { await loop.yield() }
                }
            })
    }
    for publisher in publishers { await publisher.value }
    await taking.value
    return Double(count) / seconds(start)
}

/// Microseconds from publishing to the subscriber: median and p99.
func latency(
    _ broker: Broker, _ count: Int, on loop: EventLoop
) async throws -> (median: Double, p99: Double) {
    let subscription = try broker.subscribe([.all])
    let taking = loop.spawn { () -> [Double] in
        var times: [Double] = []
        while times.count < count, let delivery = try? await subscription.next() {
            let sent = delivery.message.payload.withUnsafeBytes {
                unsafe $0.loadUnaligned(as: UInt64.self)
            }
            times.append(seconds(sent) * 1e6)
        }
        return times
    }
    for _ in 0..<count {
        try await loop.sleep(for: .microseconds(200))
        let now = SystemClock.monotonic.now
        try await broker.publish(withUnsafeBytes(of: now) { unsafe Array($0) }, to: topic)
    }
    let times = await taking.value.sorted()
    return (times[times.count / 2], times[times.count * 99 / 100])
}

func show(_ name: String, _ value: Double, _ unit: String) {
    print("\(name): \(Int(value.rounded())) \(unit)")
}

try EventLoop().run { loop in
    let broker = Broker()
    broker.start(on: loop)
    show("in memory, published and delivered", try await rate(broker, 200_000, 4, on: loop), "/s")
    let (median, p99) = try await latency(broker, 5000, on: loop)
    show("from publishing to the subscriber, median", median, "us")
    show("from publishing to the subscriber, p99", p99, "us")
}
if CommandLine.arguments.count > 1 {
    let store = try RecordStore(folder: Array(CommandLine.arguments[1].utf8))
    var options = Broker.Options()
    options.dynamic?.isDurable = true
    let broker = try Broker(options, store: store)
    try EventLoop().run { loop in
        broker.start(on: loop)
        for window in [1, 64, 512] {
            let rate = try await rate(broker, window == 1 ? 2000 : 51_200, window, on: loop)
            show("durable, \(window) publishers", rate, "/s")
        }
        let (median, p99) = try await latency(broker, 2000, on: loop)
        show("durable, from publishing to the subscriber, median", median, "us")
        show("durable, from publishing to the subscriber, p99", p99, "us")
        try await broker.flush()
    }
    store.close()
}
