import Testing
import WasmdEventLoop

@testable import WasmdGuests

@Suite struct FeedTests {
    @Test func theLastElementsAreKept() {
        let feed = Feed<Int>(capacity: 3)
        #expect(feed.last() == [])
        for number in 1...10 { feed.append(number) }
        #expect(feed.last() == [8, 9, 10])
        #expect(feed.last(2) == [9, 10])
        #expect(feed.last(0) == [])
        #expect(feed.last(-1) == [])
        #expect(feed.count == 10)
        #expect(feed.lastElement { $0 % 2 == 1 } == 9)
        #expect(feed.lastElement { $0 == 7 } == nil)
    }

    @Test func bytesAreBounded() {
        let feed = Feed<Int>(capacity: 100, byteLimit: 1000)
        for number in 1...50 { feed.append(number, byteCount: 300) }
        #expect(feed.last() == [48, 49, 50])
        #expect(feed.byteCount == 900)
        // One is kept in any case.
        feed.append(51, byteCount: 5000)
        #expect(feed.last() == [51])
        feed.append(52, byteCount: 1)
        #expect(feed.last() == [52])
        #expect(feed.byteCount == 1)
    }

    @Test func subscribersGetNewElements() throws {
        let feed = Feed<Int>(capacity: 100)
        feed.append(1)
        feed.append(2)
        let received = try EventLoop().run { loop in
            let subscription = feed.subscribe(recent: 1)
            let task = loop.spawn {
                var received: [Int] = []
                for await batch in subscription {
                    received += batch.elements
                    if received.count == 4 { break }
                }
                return received
            }
            await loop.yield()
            feed.append(3)
            await loop.yield()
            feed.append(4)
            feed.append(5)
            return await task.value
        }
        #expect(received == [2, 3, 4, 5])
    }

    @Test func aSlowSubscriberLosesElementsAndIsToldHowMany() async {
        let feed = Feed<Int>(capacity: 10)
        var subscription = feed.subscribe(batchLimit: 4)
        for number in 0..<25 { feed.append(number) }
        let first = await subscription.next()
        #expect(first?.lost == 15)
        #expect(first?.elements == [15, 16, 17, 18])
        let second = await subscription.next()
        #expect(second?.lost == 0)
        #expect(second?.elements == [19, 20, 21, 22])
    }

    @Test func cancellingEndsASubscription() throws {
        let feed = Feed<Int>(capacity: 10)
        try EventLoop().run { loop in
            let task = loop.spawn {
                var count = 0
                for await _ in feed.subscribe() { count += 1 }
                return count
            }
            await loop.yield()
            task.cancel()
            #expect(await task.value == 0)
            let late = loop.spawn {
                var subscription = feed.subscribe()
                return await subscription.next() == nil
            }
            late.cancel()
            #expect(await late.value)
        }
    }

    /// Several loops add and read at the same time; what a subscriber gets and loses is everything.
    @Test func nothingIsCountedTwice() throws {
        let feed = Feed<Int>(capacity: 50)
        let group = try LoopGroup(count: 3)
        let sums = try group.run { loop in
            let readers = group.loops.map { loop in
                loop.spawn {
                    var seen: UInt64 = 0
                    for await batch in feed.subscribe(recent: .max) {
                        seen += UInt64(batch.elements.count) + batch.lost
                        if batch.elements.contains(-1) { break }
                    }
                    return seen
                }
            }
            try await loop.sleep(for: .milliseconds(20))
            let writers = group.loops.map { loop in
                loop.spawn {
                    for number in 0..<2000 {
                        feed.append(number)
                        if number % 100 == 0 { await loop.yield() }
                    }
                }
            }
            for writer in writers { await writer.value }
            feed.append(-1)
            var sums: [UInt64] = []
            for reader in readers { sums.append(await reader.value) }
            return sums
        }
        #expect(sums == [6001, 6001, 6001])
    }
}
