import Glibc
import WasmdDocuments

// documents compare          reads records `FORMAT LENGTH\n` and bytes, writes a line for each
// documents mutate FORMAT COUNT SEED FILE...   reads COUNT damaged copies of the files
// documents time FILE        reads and writes a JSON file ten times

func contents(_ path: String) -> [UInt8] {
    guard let file = unsafe fopen(path, "r") else { return [] }
    defer { unsafe fclose(file) }
    var result: [UInt8] = []
    while true {
        let byte = unsafe getc(file)
        if byte == EOF { return result }
        result.append(UInt8(truncatingIfNeeded: byte))
    }
}

func line() -> String? { readLine(strippingNewline: true) }

func multipart(_ bytes: [UInt8], _ piece: Int) throws -> Document {
    var parser = try MultipartParser(boundary: Array("b0undary".utf8))
    var parts: [Document] = []
    var content: [UInt8] = []
    var header: MultipartHeader?
    for start in stride(from: 0, to: bytes.count, by: piece) {
        for event in try parser.feed(Array(bytes[start..<min(start + piece, bytes.count)])) {
            switch event {
            case .begin(let next):
                header = next
                content = []
            case .content(let bytes): content += bytes
            case .end:
                guard let header else { break }
                parts.append(
                    .array([
                        .bytes(header.name), header.fileName.map { .bytes($0) } ?? .null,
                        header.contentType.map { .bytes($0) } ?? .null, .bytes(content),
                    ]))
            }
        }
    }
    try parser.finish()
    return .array(parts)
}

func read(_ format: String, _ bytes: [UInt8]) throws -> Document {
    switch format {
    case "json":
        var options = JSONOptions()
        options.duplicates = .keep
        return try JSONReader.read(bytes, options: options)
    case "pieces":
        var options = JSONOptions()
        options.duplicates = .keep
        options.packsBytes = true
        var reader = JSONReader(options: options)
        for start in stride(from: 0, to: bytes.count, by: 7) {
            reader.feed(Array(bytes[start..<min(start + 7, bytes.count)]))
            while try reader.advance(bytes: 5) == .paused {}
        }
        reader.finish()
        while true {
            if case .finished(let document) = try reader.advance(bytes: 5) { return document }
        }
    case "toml": return try TOML.read(bytes)
    case "bson":
        var options = BSONOptions()
        options.keepsDuplicates = true
        let document = try BSON.read(bytes, options: options)
        let again = try BSON.write(document)
        if again != bytes { return "not the same bytes" }
        return document
    case "pairs":
        return .array(
            try URLEncodedForm.pairs(bytes).map { .array([.bytes($0.name), .bytes($0.value)]) })
    case "form": return try URLEncodedForm.read(bytes)
    case "multipart":
        let whole = try multipart(bytes, max(bytes.count, 1))
        if try multipart(bytes, 1) != whole { return "pieces differ" }
        return whole
    default: return "no such format"
    }
}

struct Random {
    var state: UInt64
    mutating func next(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 1) % max(bound, 1)
    }
}

func mutate(_ bytes: [UInt8], _ random: inout Random) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.next(4) {
        let at = random.next(bytes.count + 1)
        switch random.next(6) {
        case 0 where at < bytes.count: bytes[at] = UInt8(truncatingIfNeeded: random.next(256))
        case 1 where at < bytes.count: bytes.remove(at: at)
        case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next(256)), at: at)
        case 3: bytes.removeSubrange(at..<min(bytes.count, at + random.next(20)))
        case 4:
            let from = random.next(bytes.count + 1)
            let piece = bytes[from..<min(bytes.count, from + random.next(20))]
            bytes.insert(contentsOf: Array(piece), at: at)
        case 5 where at < bytes.count:
            bytes[at] = Array("\"\\[]{},:.eE+-0_'#\r\n=&%;\u{0}".utf8)[random.next(24)]
        default: break
        }
    }
    return bytes
}

var jsonOptions = JSONWriter.Options()
jsonOptions.nonFinite = .text
let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "compare":
    while let head = line() {
        let words = head.split(separator: " ")
        guard words.count == 2 else { break }
        let hex = Array((line() ?? "").utf8)
        var bytes: [UInt8] = []
        for at in stride(from: 0, to: hex.count - 1, by: 2) {
            bytes.append(UInt8(String(decoding: hex[at...at + 1], as: UTF8.self), radix: 16) ?? 0)
        }
        do {
            let document = try read(String(words[0]), bytes)
            print(
                "ok",
                String(decoding: JSONWriter.write(document, options: jsonOptions), as: UTF8.self))
        } catch { print("error", error) }
    }
case "mutate" where arguments.count > 5:
    var random = Random(state: UInt64(arguments[4]) ?? 1)
    let seeds = arguments[5...].map(contents)
    var taken = 0
    let count = Int(arguments[3]) ?? 0
    for _ in 0..<count {
        let seed = seeds[random.next(seeds.count)]
        if (try? read(arguments[2], mutate(seed, &random))) != nil { taken += 1 }
    }
    print("\(arguments[2]): \(count) inputs, \(taken) taken")
case "time" where arguments.count > 2:
    let bytes = contents(arguments[2])
    let clock = ContinuousClock()
    var options = JSONOptions()
    options.packsBytes = arguments.count > 3
    options.limits.values = 100 << 20
    var reading = Duration.seconds(1000)
    var writing = reading
    var written = 0
    for _ in 0..<5 {
        var document = Document.null
        reading = min(
            reading, try clock.measure { document = try JSONReader.read(bytes, options: options) })
        writing = min(writing, clock.measure { written = JSONWriter.write(document).count })
    }
    func rate(_ count: Int, _ time: Duration) -> Int {
        Int(Double(count) / 1e6 / (time / .seconds(1)))
    }
    print("read \(rate(bytes.count, reading)) MB/s, write \(rate(written, writing)) MB/s")
default: print("usage: documents compare | mutate FORMAT COUNT SEED FILE... | time FILE [pack]")
}
