import Testing
import WasmSystem

@testable import WasmdImages

/// Disks that are full, read-only or broken, and locks of others.
struct FaultTests {
    private func filled(_ disk: MemoryDisk, cachePages: Int = 1000) throws -> Image {
        let image = try Fixture.create(disk, cachePages: cachePages)
        try image.write { (transaction) throws(ImageError) in
            for index in 0..<20 {
                try transaction.addObject(bytes("o\(index)"), .module, content(index * 200, index))
            }
        }
        return image
    }

    private func add(_ image: Image, _ count: Int) throws {
        try image.write { (transaction) throws(ImageError) in
            for index in 0..<count {
                try transaction.addObject(bytes("new\(index)"), .module, content(3000, index))
            }
            for object in try transaction.objects(prefix: bytes("o")) {
                try transaction.setBytes(of: object.key, content(object.byteCount, 99))
            }
        }
    }

    @Test(arguments: [16, 1000]) func fullDisk(cachePages: Int) throws {
        let disk = MemoryDisk()
        let image = try filled(disk, cachePages: cachePages)
        let before = try Contents(image)
        let used = disk.disk.files.values.reduce(0) { $0 + $1.count }
        for room in stride(from: 0, to: 60_000, by: 3000) {
            disk.set { $0.capacity = used + room }
            #expect(throws: ImageError.full(.nospc)) { try add(image, 30) }
            #expect(try Contents(image) == before)
            #expect(try image.check() == [])
        }
        disk.set { $0.capacity = .max }
        try add(image, 30)
        #expect(try Contents(image).objects.count == 50)
        #expect(try image.check() == [])
    }

    /// After a failed sync the image must be opened again, and has one of both states.
    @Test func failedSyncs() throws {
        for syncs in 1...5 {
            let disk = MemoryDisk()
            let image = try filled(disk)
            let before = try Contents(image)
            disk.set { $0.syncsUntilFailure = syncs }
            var failure: ImageError?
            do { try add(image, 3) } catch { failure = error as? ImageError }
            disk.set { $0.syncsUntilFailure = .max }
            if failure == nil {
                #expect(syncs == 5)
                continue
            }
            let again = try Fixture.open(MemoryDisk(disk.disk))
            let contents = try Contents(again)
            #expect(contents == before || contents.objects.count == 23)
            #expect(try again.check() == [])
            if case .failedSync? = failure {
                #expect(throws: ImageError.failedSync(.io)) { try Contents(image) }
            } else {
                // The journal was not durable: nothing happened, and all goes on.
                #expect(contents == before)
                try add(image, 3)
            }
        }
    }

    @Test func readOnly() throws {
        let disk = MemoryDisk()
        let image = try filled(disk)
        let before = try Contents(image)
        image.close()
        #expect(throws: ImageError.closed) { try Contents(image) }
        disk.set { $0.isReadOnly = true }
        #expect(throws: ImageError.readOnly) { try Fixture.open(disk) }
        var options = Fixture.options()
        options.isReadOnly = true
        let reader = try Image(path: Fixture.name, options, disk)
        #expect(try Contents(reader) == before)
        #expect(throws: ImageError.readOnly) { try add(reader, 1) }
    }

    @Test func locksOfOthers() throws {
        let disk = MemoryDisk()
        let image = try filled(disk)
        let other = try Fixture.open(disk)
        try image.write { (transaction) throws(ImageError) in
            try transaction.enqueue(target: [1], sender: nil, [1])
            // Others read what was, and do not write.
            var messages = -1
            do throws(ImageError) {
                messages = try other.read { (view) throws(ImageError) in try view.messages().count }
            } catch {}
            #expect(messages == 0)
            #expect(throws: ImageError.busy) {
                try other.write { (transaction) throws(ImageError) in
                    try transaction.dequeue(1)
                }
            }
        }
        // Each sees what the other did, tables that are new included.
        #expect(try Contents(other).messages.count == 1)
        try other.write { (transaction) throws(ImageError) in
            try transaction.setBinding(ImageBinding(path: [1], kind: .folder, target: []))
            try transaction.dequeue(1)
        }
        #expect(try Contents(image).messages.isEmpty)
        #expect(try Contents(image).bindings.count == 1)
        // A reader keeps a writer from committing.
        try other.read { (_) throws(ImageError) in
            #expect(throws: ImageError.busy) { try add(image, 1) }
        }
        try add(image, 1)
        #expect(try image.check() == [])
    }

    @Test func names() throws {
        let disk = MemoryDisk()
        #expect(throws: ImageError.noImage(path: Fixture.name)) { try Fixture.open(disk) }
        let image = try filled(disk)
        #expect(throws: ImageError.imageExists(path: Fixture.name)) { try Fixture.create(disk) }
        try image.write { (transaction) throws(ImageError) in
            #expect(throws: ImageError.objectExists(path: bytes("o1"))) {
                try transaction.addObject(bytes("o1"), .module, [])
            }
            #expect(throws: ImageError.noObject(path: bytes("o77"))) {
                try transaction.removeObject(bytes("o77"))
            }
            let one = try transaction.object(at: bytes("o1"))
            let two = try transaction.object(at: bytes("o2"))
            guard let one, let two else { throw .exhausted }
            let link = try transaction.addLink(from: one.key, to: two.key)
            #expect(throws: ImageError.objectLinked(path: bytes("o2"))) {
                try transaction.removeObject(bytes("o2"))
            }
            #expect(try transaction.links(to: two.key).map(\.key) == [link])
            try transaction.removeObject(bytes("o1"))
            try transaction.removeObject(bytes("o2"))
            try transaction.renameObject(bytes("o3"), to: bytes("zzz"))
            #expect(throws: ImageError.outOfRange(offset: 500, count: 101)) {
                try transaction.bytes(of: ObjectKey(rawValue: 4), in: 500..<601)
            }
        }
        let paths = try image.read { (view) throws(ImageError) in
            try view.objects(prefix: bytes("o1"), after: bytes("o12"), limit: 3).map(\.path)
        }
        #expect(paths == [bytes("o13"), bytes("o14"), bytes("o15")])
        #expect(try image.check() == [])
    }

    @Test func viewsAfterTheirTransaction() throws {
        let image = try filled(MemoryDisk())
        var kept: ImageView?
        try image.read { (view) throws(ImageError) in kept = view }
        #expect(throws: ImageError.closed) { try kept?.objects() }
    }
}
