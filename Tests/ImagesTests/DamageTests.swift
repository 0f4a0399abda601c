import Testing
import WasmSystem

@testable import WasmdImages

/// Files that break the format: errors that say where, and no change of the file.
struct DamageTests {
    private func whole() throws -> DiskState {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk)
        try image.write { (transaction) throws(ImageError) in
            for index in 0..<60 {
                try transaction.addObject(
                    bytes("name/\(index * 7919 % 60)"), .module, content(index * 37, index))
                try transaction.enqueue(target: [1], sender: nil, content(index * 20, index))
            }
            for index in 0..<15 { try transaction.removeObject(bytes("name/\(index * 4)")) }
        }
        image.close()
        return disk.disk
    }

    private func file(_ state: DiskState) throws -> Int {
        try #require(state.names[Fixture.name])
    }

    @Test func mutants() throws {
        let state = try whole()
        let number = try file(state)
        var random = Randomness(3)
        var outcomes: [String: Int] = [:]
        for _ in 0..<300 {
            var state = state
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                var content = state.files[number] ?? []
                guard content.count > 100 else { continue }
                let page = Int.random(in: 0..<content.count, using: &random) / 512 * 512
                let place = min(
                    page + Int.random(in: 0..<60, using: &random), content.count - 1)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: content.removeLast(Int.random(in: 0..<content.count, using: &random))
                case 1: content[place] = UInt8.random(in: 0...255, using: &random)
                case 2: content[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                default: content.set32(place, UInt32.random(in: 0...40, using: &random))
                }
                state.files[number] = content
            }
            outcomes[use(state), default: 0] += 1
        }
        // Most damage is found; some is in contents.
        #expect(outcomes.values.reduce(0, +) == 300)
        #expect((outcomes["damaged"] ?? 0) > 100, "\(outcomes)")
    }

    private func use(_ state: DiskState) -> String {
        let disk = MemoryDisk(state)
        do {
            let image = try Fixture.open(disk)
            let found = try? image.check()
            _ = try Contents(image)
            try image.write { (transaction) throws(ImageError) in
                for object in try transaction.objects().prefix(5) {
                    try transaction.setBytes(of: object.key, content(4000, 1))
                }
                for message in try transaction.messages() { try transaction.dequeue(message.key) }
            }
            return found == [] ? "sound" : "used"
        } catch {
            switch error as? ImageError {
            case .damaged: return "damaged"
            default: return "\(error)"
            }
        }
    }

    /// An interior page whose children are the page itself, each time.
    @Test func cycles() throws {
        var state = try whole()
        let number = try file(state)
        let image = try Fixture.open(MemoryDisk(state))
        let root = try image.read { (_) throws(ImageError) in
            image.tables?.objects.table.tree.root ?? 0
        }
        var content = try #require(state.files[number])
        let start = (Int(root) - 1) * 512
        #expect(content[start] == 5)
        content.set32(start + 8, root)
        let cells = Int(content[start + 3]) << 8 | Int(content[start + 4])
        for cell in 0..<cells {
            let pointer = start + 12 + 2 * cell
            let offset = Int(content[pointer]) << 8 | Int(content[pointer + 1])
            content.set32(start + offset, root)
        }
        state.files[number] = content
        let damaged = try Fixture.open(MemoryDisk(state))
        #expect(throws: ImageError.damaged(.init(page: root, .depth))) { try Contents(damaged) }
        #expect(try damaged.check().contains(.init(page: root, .reused)))
    }

    /// Rows may share the pages of a long text, but not so that they have more than the file.
    @Test func rowsOfMoreThanTheFile() throws {
        let image = try Fixture.open(MemoryDisk(try whole()))
        try image.read { (view) throws(ImageError) in
            let size = Int(view.pager.pageCount) * 512
            var total = RowTotal(view.pager)
            try total.add(size - 1, 3)
            try total.add(1, 4)
            #expect(throws: ImageError.damaged(.init(page: 5, .overflow))) { try total.add(1, 5) }
        }
    }

    /// The last frame of a log says how many pages there are: tables of all of them are made.
    @Test func aLogOfBillionsOfPages() throws {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, gathers: true)
        try image.write { (transaction) throws(ImageError) in
            try transaction.addObject(bytes("a"), .module, content(5000, 1))
        }
        var state = disk.disk
        let log = try #require(state.names[Fixture.name + bytes("-wal")])
        var frames = try #require(state.files[log])
        var sum = LogChecksum(isBigEndian: frames[3] & 1 == 1)
        sum.add(frames, 0..<24)
        for frame in stride(from: 32, through: frames.count - 536, by: 536) {
            if frames[(frame + 4)..<(frame + 8)].contains(where: { $0 != 0 }) {
                frames.set32(frame + 4, 4_000_000_000)
            }
            sum.add(frames, frame..<(frame + 8))
            sum.add(frames, (frame + 24)..<(frame + 536))
            frames.set32(frame + 16, sum.first)
            frames.set32(frame + 20, sum.second)
        }
        state.files[log] = frames
        for isReadOnly in [false, true] {
            var options = Fixture.options()
            options.isReadOnly = isReadOnly
            #expect(throws: ImageError.damaged(.init(page: 1, .shortFile))) {
                try Image(path: Fixture.name, options, MemoryDisk(state))
            }
        }
        image.close()
    }

    @Test func noImages() throws {
        let state = try whole()
        let number = try file(state)
        func error(_ change: (inout [UInt8]) -> Void) -> ImageError? {
            var state = state
            change(&state.files[number, default: []])
            do {
                _ = try Fixture.open(MemoryDisk(state))
                return nil
            } catch {
                return error as? ImageError
            }
        }
        #expect(error { $0 = [] } == .notAnImage(.size(0)))
        #expect(error { $0 = Array($0.prefix(99)) } == .notAnImage(.size(99)))
        #expect(error { $0[3] = 0 } == .notAnImage(.header))
        #expect(error { $0.set16(16, 600) } == .damaged(.init(page: 1, .header)))
        #expect(error { $0[19] = 3 } == .unsupported(.formatVersion(3)))
        #expect(error { $0.removeLast(512) } == .damaged(.init(page: 1, .shortFile)))
        let other = MemoryDisk()
        let image = try Fixture.create(other)
        image.close()
        var empty = other.disk
        let file = try #require(empty.names[Fixture.name])
        empty.files[file] = DatabaseHeader.firstPage(pageSize: 512)
        #expect(throws: ImageError.notAnImage(.noTable("namespace"))) {
            try Fixture.open(MemoryDisk(empty))
        }
    }
}
