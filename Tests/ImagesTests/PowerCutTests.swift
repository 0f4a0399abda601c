import Testing
import WasmSystem

@testable import WasmdImages

/// A power cut after each event: the image has its last durable state, or the next one.
struct PowerCutTests {
    /// Changes of very different sizes; some need pages to be written before the commit.
    private func change(
        _ transaction: ImageTransaction, _ index: Int
    ) throws(ImageError) {
        let name = bytes("object/\(index % 4)")
        if let object = try transaction.object(at: name) {
            if index % 3 == 0 {
                try transaction.removeObject(name)
            } else {
                try transaction.setBytes(of: object.key, content(index * 1777 % 9000, index))
            }
        } else {
            try transaction.addObject(name, .instance, content(index * 977 % 16_000, index))
        }
        if let object = try transaction.objects().first, object.byteCount > 600 {
            try transaction.overwrite(object.key, at: 500, with: content(90, index)[...])
        }
        for message in try transaction.messages().prefix(index % 5) {
            try transaction.dequeue(message.key)
        }
        for part in 0..<(index % 7) {
            try transaction.enqueue(target: name, sender: nil, content(part * 300, index))
        }
    }

    private func history(
        cachePages: Int, gathers: Bool
    ) throws -> (events: [DiskEvent], states: [Contents]) {
        let disk = MemoryDisk()
        let image = try Fixture.create(disk, cachePages: cachePages, gathers: gathers)
        disk.note(.acknowledged(0))
        var states = [try Contents(image)]
        for index in 1...14 {
            try image.write { (transaction) throws(ImageError) in try change(transaction, index) }
            disk.note(.acknowledged(index))
            states.append(try Contents(image))
            if index % 5 == 0 { try image.settle() }
            if index == 9 {
                // What is undone is nowhere.
                #expect(throws: ImageError.exhausted) {
                    try image.write { (transaction) throws(ImageError) in
                        for part in 20..<30 { try change(transaction, part) }
                        throw .exhausted
                    }
                }
                #expect(try Contents(image) == states.last)
            }
        }
        image.close()
        #expect(disk.openCount == 0)
        #expect(disk.disk.names.keys.sorted { $0.count < $1.count } == [Fixture.name])
        return (disk.events, states)
    }

    @Test(arguments: [16, 60, 1000], [false, true]) func everyMoment(
        cachePages: Int, gathers: Bool
    ) throws {
        let (events, states) = try history(cachePages: cachePages, gathers: gathers)
        var cut = PowerCut()
        var acknowledged: Int?
        var random = Randomness(7)
        var restored = 0
        for (place, event) in events.enumerated() {
            cut.add(event)
            if case .acknowledged(let index) = event { acknowledged = index }
            for attempt in 0..<3 {
                let state = cut.state { _ in
                    attempt == 0 ? false : attempt == 1 ? true : Bool.random(using: &random)
                }
                // Nothing else was promised while the image was made.
                guard let acknowledged else {
                    if state.content("/x.simg") == nil { continue }
                    let image = try Fixture.open(MemoryDisk(state))
                    #expect(try Contents(image) == states[0])
                    continue
                }
                if state.content("/x.simg-journal")?.first ?? 0 != 0 { restored += 1 }
                if state.content("/x.simg-wal")?.first ?? 0 != 0 { restored += 1 }
                let disk = MemoryDisk(state)
                let image = try Fixture.open(disk)
                let contents = try Contents(image)
                let isNext = acknowledged + 1 < states.count && contents == states[acknowledged + 1]
                #expect(
                    contents == states[acknowledged] || isNext,
                    "event \(place), attempt \(attempt), after \(acknowledged)")
                if place % 5 == 0 { #expect(try image.check() == []) }
            }
        }
        #expect(restored > 100)
    }
}
