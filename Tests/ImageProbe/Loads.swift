// Soundness: a whole array is lent to one write.

import WasmSystem
import WasmdImages

/// Adds and removes messages and changes an object, until the process is killed. Each transaction
/// is printed when it is durable: "ROUND INDEX".
func writeUntilKilled(_ path: [UInt8], _ round: Int) throws(ImageError) {
    var options = Image.Options()
    options.cacheBytes = 1 << 17
    let image: Image
    do throws(ImageError) {
        image = try Image(path: path, options)
    } catch {
        guard case .noImage = error else { throw error }
        image = try Image.create(path, options)
    }
    let object = Array("round-\(round)".utf8)
    try image.write { (transaction) throws(ImageError) in
        try transaction.addObject(object, .instance, content(70_000, 0))
    }
    say("ready")
    var index = 0
    while true {
        try image.write { (transaction) throws(ImageError) in
            guard let state = try transaction.object(at: object) else { return }
            let size = index % 7 == 6 ? 70_000 + index * 131 % 50_000 : state.byteCount
            try transaction.setBytes(of: state.key, content(size, index))
            let waiting = try transaction.messages()
            if waiting.count > 40 {
                for message in waiting.prefix(30) { try transaction.dequeue(message.key) }
            }
            for part in 0..<3 {
                try transaction.enqueue(
                    target: Array("\(round)/\(index)/\(part)".utf8), sender: nil,
                    content(index * 977 % 9000, index))
            }
            try transaction.setSetting("last", Array("\(round) \(index)".utf8))
        }
        say("\(round) \(index)")
        index += 1
    }
}

func load(_ path: [UInt8], _ count: Int, _ group: Int) throws(ImageError) {
    let image = try Image.create(path)
    let bytes = content(200, 3)
    let start = SystemClock.monotonic.now
    var index = 0
    while index < count {
        let end = min(index + group, count)
        try image.write { (transaction) throws(ImageError) in
            for _ in index..<end {
                try transaction.enqueue(target: Array("/counter".utf8), sender: nil, bytes)
            }
        }
        index = end
    }
    let time = SystemClock.monotonic.now - start
    say("\(count) messages in \(time / 1_000_000) ms, \(UInt64(count) * 1_000_000_000 / time) /s")
    image.close()
}

/// Changes one page of a large state and a message in each transaction.
func changeState(_ path: [UInt8], _ count: Int, _ size: Int) throws(ImageError) {
    let image = try Image.create(path)
    let object = Array("state".utf8)
    let key = try image.write { (transaction) throws(ImageError) in
        try transaction.addObject(object, .instance, content(size, 0))
    }
    let start = SystemClock.monotonic.now
    for index in 0..<count {
        try image.write { (transaction) throws(ImageError) in
            let part = content(4096, index)
            try transaction.overwrite(
                key, at: (index * 7919 * 4096) % (size - 4096), with: part[...])
            try transaction.dequeue(
                try transaction.enqueue(target: object, sender: nil, content(200, index)))
        }
    }
    let time = SystemClock.monotonic.now - start
    say("\(count) states in \(time / 1_000_000) ms, \(UInt64(count) * 1_000_000_000 / time) /s")
    image.close()
}

struct Randomness: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

func file(_ path: [UInt8]) -> [UInt8] {
    guard let file = try? unsafe Kernel.open(CString(path: path), [.readOnly]) else { return [] }
    defer { try? Kernel.close(file) }
    let size = Int((try? Kernel.status(file).byteCount) ?? 0)
    var bytes = [UInt8](repeating: 0, count: size)
    _ = unsafe bytes.withUnsafeMutableBytes { try? unsafe Kernel.read(file, $0, at: 0) }
    return bytes
}

func store(_ bytes: [UInt8], _ path: [UInt8]) {
    let flags: FileFlags = [.writeOnly, .create, .truncate]
    guard let file = try? unsafe Kernel.open(CString(path: path), flags) else { return }
    _ = unsafe bytes.withUnsafeBytes { try? unsafe Kernel.writeAll(file, $0) }
    try? Kernel.close(file)
}

/// Damages copies of an image and uses them: each use ends, by an error or not. Copies that opened
/// with an error were not touched.
func mutants(
    _ path: [UInt8], _ count: Int, _ seed: Int, _ folder: [UInt8]
) throws(ImageError) {
    let whole = file(path)
    let journal = file(path + Array("-journal".utf8))
    let log = file(path + Array("-wal".utf8))
    var random = Randomness(state: UInt64(seed))
    var outcomes: [String: Int] = [:]
    let copy = folder + Array("/mutant.simg".utf8)
    for _ in 0..<count {
        var bytes = whole
        var (journal, log) = (journal, log)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where !journal.isEmpty: damage(&journal, &random)
            case 1 where !log.isEmpty: damage(&log, &random)
            default: damage(&bytes, &random)
            }
        }
        store(bytes, copy)
        for (name, content) in [("-journal", journal), ("-wal", log)] {
            let name = copy + Array(name.utf8)
            if content.isEmpty {
                try? unsafe Kernel.unlink(CString(path: name))
            } else {
                store(content, name)
            }
        }
        let outcome = use(copy)
        let kind = outcome.prefix { $0 != "(" }
        outcomes[String(kind), default: 0] += 1
    }
    for (outcome, count) in outcomes.sorted(by: { $0.key < $1.key }) { say("\(count) \(outcome)") }
}

func damage(_ bytes: inout [UInt8], _ random: inout Randomness) {
    guard bytes.count > 8 else { return }
    // Headers and pointers of pages are more interesting than contents.
    var place = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<6, using: &random) {
    case 0: place = min(place, 200)
    case 1, 2:
        place = min(place / 512 * 512 + Int.random(in: 0..<40, using: &random), bytes.count - 1)
    default: break
    }
    switch Int.random(in: 0..<6, using: &random) {
    case 0: bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
    case 1: bytes[place] = 0xff
    case 2: bytes[place] = 0
    case 3:
        // A number of a page where there was something else.
        let last = bytes.count - 1
        bytes[place] = 0
        bytes[min(place + 1, last)] = 0
        bytes[min(place + 2, last)] = 0
        bytes[min(place + 3, last)] = .random(in: 0...40, using: &random)
    case 4:
        let from = Int.random(in: 0..<bytes.count, using: &random) / 512 * 512
        let to = place / 512 * 512
        for index in 0..<512 where from + index < bytes.count && to + index < bytes.count {
            bytes[to + index] = bytes[from + index]
        }
    default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    }
}

func use(_ path: [UInt8]) -> String {
    var options = Image.Options()
    options.patience = 0
    options.cacheBytes = 1 << 16
    let before = file(path)
    let image: Image
    do throws(ImageError) {
        image = try Image(path: path, options)
    } catch {
        let isTouched = file(path) != before && file(path + Array("-journal".utf8)).isEmpty
        return isTouched ? "touched \(error)" : "open \(error)"
    }
    defer { image.close() }
    do throws(ImageError) {
        _ = try image.check()
        try image.read { (view) throws(ImageError) in
            for object in try view.objects() { _ = try view.bytes(of: object.key) }
            _ = try view.messages()
            _ = try view.bindings()
        }
    } catch {
        // What cannot be read may still be written to in part.
        _ = try? write(image)
        return "read \(error)"
    }
    do throws(ImageError) {
        try write(image)
        return "sound"
    } catch {
        return "write \(error)"
    }
}

func write(_ image: Image) throws(ImageError) {
    try image.write { (transaction) throws(ImageError) in
        for object in try transaction.objects().prefix(4) {
            try transaction.setBytes(of: object.key, content(object.byteCount + 3000, 1))
        }
        for message in try transaction.messages().prefix(20) {
            try transaction.dequeue(message.key)
        }
        for index in 0..<30 {
            try transaction.enqueue(target: [UInt8(index)], sender: [1], content(700, index))
            try transaction.addObject(Array("new/\(index)".utf8), .module, content(index * 300, 2))
        }
        for index in 0..<20 { try transaction.removeObject(Array("new/\(index)".utf8)) }
    }
}
