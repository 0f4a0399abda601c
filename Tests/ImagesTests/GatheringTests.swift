import Testing
import WasmSystem

@testable import WasmdImages

/// Commits that are gathered in a log under the lock that is kept.
struct GatheringTests {
    private let log = bytes("/x.simg-wal")

    private func add(_ image: Image, _ name: String, _ count: Int = 100) throws {
        try image.write { (transaction) throws(ImageError) in
            try transaction.addObject(bytes(name), .module, content(count, count))
        }
    }

    private func syncs(_ disk: MemoryDisk, _ body: () throws -> Void) rethrows -> Int {
        let before = disk.events.count
        try body()
        return disk.events[before...].count {
            switch $0 {
            case .datasync, .syncFolder: true
            default: false
            }
        }
    }

    @Test func waitOnceForEachCommit() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        // The log, and its name.
        #expect(try syncs(disk) { try add(image, "a") } == 2)
        for index in 0..<5 { #expect(try syncs(disk) { try add(image, "b\(index)", 3000) } == 1) }
        #expect(disk.disk.names[log] != nil)
        let contents = try Contents(image)
        #expect(contents.objects.count == 6)
        // The database, and the end of the log.
        #expect(try syncs(disk) { try image.settle() } == 2)
        #expect(disk.disk.names[log] == nil)
        #expect(try Contents(image) == contents)
        #expect(try image.check() == [])
        // Without the log.
        #expect(try Contents(Fixture.open(disk)) == contents)
    }

    @Test func othersHaveTheirTurn() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        let other = try Fixture.open(disk)
        try add(image, "a")
        #expect(throws: ImageError.busy) { try Contents(other) }
        // Time has passed meanwhile: the next commit lets others in before, and then goes on.
        try add(image, "b")
        try image.settle()
        #expect(try Contents(other).objects.count == 2)
        try add(other, "c")
        let revision = try image.read { (view) throws(ImageError) in view.revision }
        try add(image, "d")
        #expect(try Contents(image).objects.count == 4)
        try image.settle()
        try add(other, "e")
        #expect(try image.read { (view) throws(ImageError) in view.revision } != revision)
        image.close()
        #expect(try Contents(other).objects.count == 5)
    }

    /// Only a program that keeps the file locked for most of the time waits for others.
    @Test func commitsNowAndThenDoNotWait() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        var number = 0
        func waited(until end: UInt64, _ pause: () throws -> Void) throws -> UInt64 {
            var time: UInt64 = 0
            while disk.now() < end {
                let start = disk.now()
                number += 1
                try add(image, "\(number)", 10)
                time += disk.now() - start
                try pause()
            }
            return time
        }
        // Locked for 5 ms of each 50, longer than commits are gathered.
        let seldom = try waited(until: 25_000_000_000) {
            disk.pause(nanoseconds: 5_000_000)
            try image.settle()
            disk.pause(nanoseconds: 45_000_000)
        }
        #expect(seldom == 0)
        // Always locked.
        let always = try waited(until: 37_000_000_000) { disk.pause(nanoseconds: 4_000_000) }
        #expect(always > 0 && always % 120_000_000 == 0)
    }

    /// A process that ends with commits in its log.
    @Test func recoveredByTheNext() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        for index in 0..<10 { try add(image, "\(index)", index * 700) }
        let contents = try Contents(image)
        // A copy that only reads leaves the log where it is.
        let reading = MemoryDisk(disk.disk)
        var options = Fixture.options()
        options.isReadOnly = true
        #expect(try Contents(Image(path: Fixture.name, options, reading)) == contents)
        #expect(reading.disk.names[log] != nil)
        let next = MemoryDisk(disk.disk)
        let opened = try Fixture.open(next)
        #expect(try Contents(opened) == contents)
        try add(opened, "more")
        #expect(next.disk.names[log] == nil)
        #expect(try opened.check() == [])
    }

    @Test func fullDisk() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        try add(image, "a")
        let contents = try Contents(image)
        let used = disk.disk.files.values.reduce(0) { $0 + $1.count }
        disk.set { $0.capacity = used + 700 }
        #expect(throws: ImageError.full(.nospc)) { try add(image, "b", 5000) }
        #expect(try Contents(image) == contents)
        // What is in the log stays durable when the database cannot take it.
        disk.set { $0.capacity = 0 }
        _ = try? image.settle()
        #expect(try Contents(Fixture.open(MemoryDisk(disk.disk))) == contents)
        disk.set { $0.capacity = .max }
        try add(image, "b", 5000)
        image.close()
        #expect(try Contents(Fixture.open(disk)).objects.count == 2)
    }

    /// An attempt to move the log into the database may write all of it: on a full disk there is one
    /// now and then, not at each turn.
    @Test func fullDisksAreNotWrittenAgainAndAgain() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        try add(image, "a", 5000)
        disk.set { $0.capacity = 0 }
        // More time than between commits.
        disk.pause(nanoseconds: 10_000_000)
        var counts: [Int] = []
        for _ in 0..<100 {
            let before = disk.events.count
            #expect(throws: ImageError.full(.nospc)) { try add(image, "b") }
            if disk.events.count > before { counts.append(disk.events.count - before) }
            disk.pause(nanoseconds: 100_000_000)
        }
        // At 0, 0.1, 0.2 and 0.3 s (the pauses are 10 to 80 ms), and later, at last once a second.
        #expect((8...20).contains(counts.count))
        disk.set { $0.capacity = .max }
        disk.pause(nanoseconds: 1_000_000_000)
        try add(image, "b")
        #expect(try Contents(image).objects.count == 2)
        #expect(try image.check() == [])
    }

    @Test(arguments: 1...3) func brokenDisk(_ sync: Int) throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        try add(image, "a")
        disk.set { $0.syncsUntilFailure = sync }
        do {
            for index in 0..<5 { try add(image, "b\(index)") }
            try image.settle()
            Issue.record("no sync failed")
        } catch {
            #expect(error as? ImageError == .failedSync(.io))
        }
        #expect(throws: ImageError.failedSync(.io)) { try Contents(image) }
        disk.set { $0.syncsUntilFailure = .max }
        image.close()
        #expect(disk.openCount == 0)
        #expect(try Contents(Fixture.open(disk)).objects[bytes("a")] != nil)
    }

    /// Files that an image of the same name left are not those of a new one.
    @Test func leftovers() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        for index in 0..<10 { try add(image, "\(index)", 700) }
        var state = disk.disk
        state.names[Fixture.name] = nil
        let next = MemoryDisk(state)
        let made = try Fixture.create(next)
        #expect(try Contents(made) == Contents())
        #expect(try made.check() == [])
    }
}
