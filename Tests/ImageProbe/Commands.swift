// Soundness: a buffer is filled by one read, and only what was read is used.

import WasmSystem
import WasmdImages

/// Bytes that a script can make too.
func content(_ count: Int, _ seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: seed &+ $0 &* 7 &+ $0 >> 8) }
}

/// A sum by which contents are compared (FNV-1a).
func sum(_ bytes: [UInt8]) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

func dump(_ image: Image) throws(ImageError) {
    try image.read { (view) throws(ImageError) in
        for object in try view.objects() {
            let bytes = try view.bytes(of: object.key)
            say("object \(name(object.path)) \(object.kind.rawValue) \(bytes.count) \(sum(bytes))")
            for link in try view.links(from: object.key) {
                say("link \(link.key) \(link.from.rawValue) \(link.to.rawValue)")
            }
        }
        for message in try view.messages() {
            let sender = message.sender.map(name) ?? "-"
            let (count, sum) = (message.bytes.count, sum(message.bytes))
            say("message \(message.key) \(name(message.target)) \(sender) \(count) \(sum)")
        }
        for binding in try view.bindings() {
            say("binding \(name(binding.path)) \(binding.kind.rawValue) \(name(binding.target))")
        }
    }
}

/// All of standard input.
func input() -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = unsafe buffer.withUnsafeMutableBytes {
            (try? unsafe Kernel.read(Kernel.standardInput, $0)) ?? 0
        }
        if count <= 0 { return bytes }
        bytes += buffer[..<count]
    }
}

/// Makes changes, one line each; "commit" ends a transaction. An image that is not there is made.
///
///     add PATH KIND SIZE SEED       set PATH SIZE SEED       overwrite PATH OFFSET SIZE SEED
///     copy PATH NEW KIND            rename PATH NEW          remove PATH
///     link FROM TO                  unlink KEY
///     enqueue TARGET SENDER SIZE SEED                        dequeue KEY
///     bind PATH KIND TARGET         unbind PATH              abort          commit
func run(_ path: [UInt8], pageSize: Int) throws(ImageError) {
    var options = Image.Options()
    options.pageSize = pageSize
    options.cacheBytes = 1 << 18
    let image: Image
    do throws(ImageError) {
        image = try Image(path: path, options)
    } catch {
        guard case .noImage = error else { throw error }
        image = try Image.create(path, options)
    }
    var group: [[String]] = []
    for line in input().split(separator: 10) {
        let words = name(Array(line)).split(separator: " ").map(String.init)
        guard words.first == "commit" || words.first == "abort" else {
            group.append(words)
            continue
        }
        if words.first == "abort" { group.append(words) }
        do throws(ImageError) {
            try image.write { (transaction) throws(ImageError) in
                for words in group { try change(transaction, words) }
            }
        } catch {
            guard error == .outOfRange(offset: -7, count: 0) else { throw error }
        }
        group = []
    }
    image.close()
}

func change(_ transaction: ImageTransaction, _ words: [String]) throws(ImageError) {
    func text(_ index: Int) -> [UInt8] { index < words.count ? Array(words[index].utf8) : [] }
    func number(_ index: Int) -> Int { index < words.count ? Int(words[index]) ?? 0 : 0 }
    func key(_ index: Int) throws(ImageError) -> ObjectKey {
        guard let object = try transaction.object(at: text(index)) else {
            throw .noObject(path: text(index))
        }
        return object.key
    }
    func kind(_ index: Int) -> ObjectKind { words[index] == "MODULE" ? .module : .instance }
    switch words[0] {
    case "add":
        // In pieces of different sizes.
        let bytes = content(number(3), number(4))
        var given = 0
        try transaction.addObject(text(1), kind(2), byteCount: bytes.count) {
            defer { given = min(given + 1 + given / 2, bytes.count) }
            return bytes[given..<min(given + 1 + given / 2, bytes.count)]
        }
    case "set": try transaction.setBytes(of: try key(1), content(number(2), number(3)))
    case "overwrite":
        let bytes = content(number(3), number(4))
        try transaction.overwrite(try key(1), at: number(2), with: bytes[...])
    case "copy": try transaction.copyObject(try key(1), to: text(2), kind(3))
    case "rename": try transaction.renameObject(text(1), to: text(2))
    case "remove": try transaction.removeObject(text(1))
    case "link": try transaction.addLink(from: try key(1), to: try key(2))
    case "unlink": try transaction.removeLink(Int64(number(1)))
    case "enqueue":
        try transaction.enqueue(
            target: text(1), sender: words[2] == "-" ? nil : text(2),
            content(number(3), number(4)))
    case "dequeue": try transaction.dequeue(Int64(number(1)))
    case "bind":
        guard let kind = ImageBinding.Kind(rawValue: words[2]) else { return }
        try transaction.setBinding(ImageBinding(path: text(1), kind: kind, target: text(3)))
    case "unbind": try transaction.removeBinding(text(1))
    case "set-setting": try transaction.setSetting(words[1], text(2))
    case "abort": throw .outOfRange(offset: -7, count: 0)
    default: say("unknown \(words[0])")
    }
}
