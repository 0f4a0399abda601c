import Synchronization
import WasmdEventLoop
import WasmdGuests

/// Prints the lines that guests write to standard error, as they come.
final class GuestLogPrinter: Sendable {
    private let feed: Feed<LogLine>
    /// Lines that were printed or lost.
    private let position: Mutex<UInt64>
    private let task: Mutex<LoopTask<Void>?>

    init(_ feed: Feed<LogLine>, on loop: EventLoop) {
        self.feed = feed
        position = Mutex(feed.count)
        task = Mutex(nil)
        var lines = feed.subscribe()
        let printing = loop.spawn { [self] in
            while let batch = await lines.next() { take(batch) }
        }
        task.withLock { $0 = printing }
    }

    private func take(_ batch: FeedSubscription<LogLine>.Batch) {
        if batch.lost > 0 {
            ServeMessages.write("\(batch.lost) lines of programs were lost: they came too fast")
        }
        for line in batch.elements { print(line) }
        position.withLock { $0 += batch.lost + UInt64(batch.elements.count) }
    }

    /// Prints what is left, and ends.
    func finish() {
        task.withLock { $0 }?.cancel()
        let left = feed.count &- position.withLock { $0 }
        for line in feed.last(Int(clamping: left)) { print(line) }
    }

    private func print(_ line: LogLine) {
        ServeMessages.write(line.text, about: .run(line.run))
    }
}
