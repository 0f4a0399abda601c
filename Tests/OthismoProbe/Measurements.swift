import WasmSystem
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// How many messages two instances send each other in a second.
func measureMessages(_ folder: [UInt8], _ guest: String, _ seconds: Double) throws {
    let house = try House(folder + Array("/messages.simg".utf8), guest: guest)
    try house.instantiate(Array("/a".utf8))
    try house.instantiate(Array("/b".utf8))
    try house.drain()
    try house.post(
        Array("/a".utf8), "bench.ball",
        [
            Document.Member("to", "/b"), Document.Member("from", "/a"),
            Document.Member("left", .integer(1 << 40)),
        ])
    let start = now()
    let before = house.exchange.statistics
    while now() < start + seconds { _ = try house.exchange.runBatch() }
    let after = house.exchange.statistics
    let time = now() - start
    house.image.close()
    say(
        "messages inside: \(rounded(Double(after.deliveries - before.deliveries) / time)) a second"
            + ", \(rounded(Double(after.commits - before.commits) / time)) commits")
}

/// How many messages some senders have made durable in a second; each sends one when it has the
/// answer to the last one, and to an instance of its own.
func measureDurable(
    _ folder: [UInt8], _ guest: String, _ senders: Int, _ seconds: Double
) throws {
    let endpoints = (0..<senders).map { Array("/sender/\($0)".utf8) }
    let house = try House(
        folder + Array("/durable.simg".utf8), guest: guest, endpoints: endpoints)
    let instances = (0..<senders).map { Array("/i/\($0)".utf8) }
    for path in instances { try house.instantiate(path) }
    try house.drain()
    var number: Int64 = 0
    func send(_ sender: Int) throws {
        number += 1
        try house.post(
            instances[sender], "bench.add", [Document.Member("place", .integer(number * 7919))],
            replyTo: endpoints[sender], request: number)
    }
    func turn() throws -> Int {
        var count = 0
        for output in try house.exchange.runBatch() {
            guard case .endpoint(let path, let envelope) = output,
                let sender = endpoints.firstIndex(of: path)
            else { continue }
            guard envelope.payload.first?.name == "bench.value" else {
                say("error \(envelope.payload)")
                continue
            }
            try send(sender)
            count += 1
        }
        return count
    }
    for sender in 0..<senders { try send(sender) }
    // The states get their stable form.
    for _ in 0..<3 { _ = try turn() }
    let start = now()
    let before = house.exchange.statistics.commits
    var count = 0
    while now() < start + seconds { count += try turn() }
    let time = now() - start
    let commits = house.exchange.statistics.commits - before
    house.image.close()
    say(
        "durable, \(senders) senders: \(rounded(Double(count) / time)) a second, "
            + "\(rounded(Double(commits) / time)) commits")
}

func fill(_ path: [UInt8], _ guest: String, _ count: Int) throws {
    let house = try House(path, guest: guest)
    let store = ImageStore(house.image)
    guard let module = try store.object(at: Array("guest".utf8)) else { return }
    var done = 0
    while done < count {
        var changes = ObjectChanges()
        for index in done..<min(done + 10_000, count) {
            changes.objects.append(
                .init(path: Array("/i/\(index)".utf8), kind: .instance, source: .copy(module.key)))
        }
        _ = try store.commit(changes)
        done += 10_000
    }
    house.image.close()
    say("\(count) instances in a file of \(try size(path) >> 20) MiB")
}

private func size(_ path: [UInt8]) throws(SystemError) -> Int {
    Int(clamping: try unsafe Kernel.status(CString(path: path), followsLink: true).byteCount)
}

func open(_ path: [UInt8], wakesAll: Bool) throws {
    let empty = memory()
    let start = now()
    let house = try House(path, guest: nil, endpoints: [Array("/sender".utf8)])
    let opened = now() - start
    func wake(_ index: Int) throws {
        try house.post(
            Array("/i/\(index)".utf8), "bench.add", [], replyTo: Array("/sender".utf8),
            request: 1)
        try house.drain()
    }
    try wake(4711)
    let woken = now() - start
    say(
        "opened in \(rounded(opened)) s, the first message handled after \(rounded(woken)) s, "
            + "\(rounded(Double(memory() - empty) / 1_048_576)) MiB of memory")
    guard wakesAll else { return }
    let count = try ImageStore(house.image).objects(prefix: Array("/i/".utf8)).count
    let begin = now()
    for first in stride(from: 0, to: count, by: 1000) {
        for index in first..<min(first + 1000, count) {
            try house.post(
                Array("/i/\(index)".utf8), "bench.add", [], replyTo: Array("/sender".utf8),
                request: 1)
        }
        try house.drain()
    }
    say(
        "all \(count) woken one after the other in \(rounded(now() - begin)) s, "
            + "\(rounded(Double(memory() - empty) / 1_048_576)) MiB of memory afterwards")
    house.image.close()
}

/// A loop that changes one page of a file and waits for the disk.
func measureSyncs(_ folder: [UInt8], _ seconds: Double) throws {
    let path = folder + Array("/syncs".utf8)
    let file = try FileDescriptor(
        owning: unsafe Kernel.open(CString(path: path), [.readWrite, .create], permissions: 0o600))
    var page = [UInt8](repeating: 1, count: 4096)
    func write(_ place: Int) throws(SystemError) {
        let result = unsafe page.withUnsafeBytes { buffer in
            Result { () throws(SystemError) in
                _ = try unsafe Kernel.write(file.number, buffer, at: place * 4096)
            }
        }
        try result.get()
        try Kernel.datasync(file.number)
    }
    for place in 0..<256 { try write(place) }
    let start = now()
    var count = 0
    while now() < start + seconds {
        page[0] &+= 1
        try write(count * 37 % 256)
        count += 1
    }
    say("bare fdatasync after a page: \(rounded(Double(count) / (now() - start))) a second")
    try unsafe Kernel.unlink(CString(path: path))
}
