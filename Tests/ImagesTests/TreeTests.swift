import Testing
import WasmSystem

@testable import WasmdImages

/// Random changes beside a dictionary.
struct TreeTests {
    @Test(arguments: [512, 1024, 4096, 65_536]) func randomChanges(pageSize: Int) throws {
        let image = try Fixture.create(MemoryDisk(), pageSize: pageSize, cachePages: 40)
        var random = Randomness(UInt64(pageSize))
        var expected = Contents()
        var next: Int64 = 1
        for round in 0..<30 {
            try image.write { (transaction) throws(ImageError) in
                for _ in 0..<25 {
                    try change(transaction, &expected, &next, &random, round)
                }
            }
            if round % 6 == 5 { #expect(try image.check() == []) }
        }
        let found = try Contents(image)
        #expect(found.objects == expected.objects)
        #expect(found.messages == expected.messages)
        // All away again: the pages are free, and are used again.
        try image.write { (transaction) throws(ImageError) in
            for path in expected.objects.keys { try transaction.removeObject(path) }
            for message in expected.messages { try transaction.dequeue(message.key) }
        }
        #expect(try Contents(image) == Contents())
        #expect(try image.check() == [])
        let pages = image.pager.pageCount
        try image.write { (transaction) throws(ImageError) in
            try transaction.addObject([1], .module, content(pageSize, 1))
        }
        #expect(image.pager.pageCount == pages)
    }

    private func change(
        _ transaction: ImageTransaction, _ expected: inout Contents, _ next: inout Int64,
        _ random: inout Randomness, _ round: Int
    ) throws(ImageError) {
        let limit = [40, 700, 9000].randomElement(using: &random) ?? 40
        let size = Int.random(in: 0..<limit, using: &random)
        let bytes = content(size, Int.random(in: 0..<256, using: &random))
        let isShrinking = round % 10 > 6
        switch Int.random(in: 0..<(isShrinking ? 12 : 6), using: &random) {
        case 0, 1:
            let length = Int.random(in: 1..<260, using: &random)
            let path = content(length, Int.random(in: 0..<256, using: &random))
            if expected.objects[path] != nil { return }
            try transaction.addObject(path, .module, bytes)
            expected.objects[path] = .init(kind: .module, bytes: bytes)
        case 2, 3:
            next = (expected.messages.last?.key ?? 0) + 1
            let message = QueuedMessage(key: next, target: [7], sender: [8], bytes: bytes)
            let key = try transaction.enqueue(target: [7], sender: [8], bytes)
            #expect(key == next)
            expected.messages.append(message)
        case 4:
            guard let path = expected.objects.keys.sorted(by: { $0.count < $1.count }).first,
                let object = try transaction.object(at: path)
            else { return }
            try transaction.setBytes(of: object.key, bytes)
            expected.objects[path]?.bytes = bytes
        case 5...8:
            guard !expected.messages.isEmpty else { return }
            let place = Int.random(in: 0..<expected.messages.count, using: &random)
            let message = expected.messages.remove(at: place)
            #expect(try transaction.dequeue(message.key))
        default:
            let paths = expected.objects.keys.sorted { Value.compare($0[...], $1[...]) < 0 }
            guard let path = paths.randomElement(using: &random) else { return }
            try transaction.removeObject(path)
            expected.objects[path] = nil
        }
    }

    /// Keys that grow leave pages full.
    @Test func appendedRows() throws {
        let image = try Fixture.create(MemoryDisk())
        try image.write { (transaction) throws(ImageError) in
            for index in 0..<3000 {
                try transaction.enqueue(target: [1], sender: nil, content(40, index))
            }
        }
        // Nine rows fit into a page.
        #expect(image.pager.pageCount < 3000 / 9 + 20)
        #expect(try Contents(image).messages.map(\.key) == Array(1...3000))
        #expect(try image.check() == [])
    }

    @Test func piecesAndRanges() throws {
        let image = try Fixture.create(MemoryDisk(), cachePages: 20)
        let bytes = content(100_000, 5)
        let key = try image.write { (transaction) throws(ImageError) in
            var given = 0
            return try transaction.addObject([1], .instance, byteCount: bytes.count) {
                defer { given = min(given + 1013, bytes.count) }
                return bytes[given..<min(given + 1013, bytes.count)]
            }
        }
        #expect(throws: ImageError.outOfRange(offset: 0, count: 10)) {
            try image.write { (transaction) throws(ImageError) in
                try transaction.copyObject(key, to: [2], .instance)
                try transaction.addObject([3], .instance, byteCount: 10) { [] }
            }
        }
        try image.write { (transaction) throws(ImageError) in
            let copy = try transaction.copyObject(key, to: [2], .instance)
            for start in stride(from: 0, to: 100_000, by: 7001) {
                let part = try transaction.bytes(of: copy, in: start..<min(start + 900, 100_000))
                #expect(part[...] == bytes[start..<min(start + 900, 100_000)])
                try transaction.overwrite(copy, at: start, with: content(800, start)[...])
            }
            var pieces = 0
            var sum: [UInt8] = []
            try transaction.forEachPiece(of: copy) { (piece) throws(ImageError) in
                pieces += 1
                sum += piece
                return true
            }
            #expect(pieces > 190 && sum.count == bytes.count)
            #expect(sum[..<800] == content(800, 0)[...])
            #expect(try transaction.bytes(of: key) == bytes)
        }
        #expect(try image.check() == [])
    }

    /// Changes of several threads become durable together, and fail alone.
    @Test func groups() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk)
        let failures = Failures()
        try image.write { (transaction) throws(ImageError) in
            try transaction.enqueue(target: [0], sender: nil, [])
        }
        runOnThreads(8) {
            for index in 0..<20 {
                do throws(ImageError) {
                    try image.write { (transaction) throws(ImageError) in
                        try transaction.enqueue(target: [1], sender: nil, content(900, index))
                        if index % 4 == 3 {
                            try transaction.setBinding(
                                ImageBinding(path: [UInt8(index)], kind: .folder, target: []))
                            throw .exhausted
                        }
                    }
                } catch {
                    failures.add(error)
                }
            }
        }
        #expect(failures.found == Array(repeating: .exhausted, count: 40))
        #expect(try Contents(image).messages.count == 121)
        #expect(try Contents(image).bindings.isEmpty)
        #expect(try image.check() == [])
    }
}

/// Errors of several threads.
final class Failures: Sendable {
    private let state = Monitor([ImageError]())
    func add(_ error: ImageError) { state.withLock { $0.append(error) } }
    var found: [ImageError] { state.withLock { $0 } }
}
