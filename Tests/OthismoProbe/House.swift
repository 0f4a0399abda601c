import WasmDecoder
import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// An image with an exchange, and what is done with them.
struct House {
    let image: Image
    let exchange: Exchange

    /// Opens an image, or makes one with the module `guest`.
    init(_ path: [UInt8], guest: String?, endpoints: [[UInt8]] = []) throws {
        if let guest {
            image = try Image.create(path)
            let file = try ModuleBytes(path: guest)
            var changes = ObjectChanges()
            changes.objects.append(
                .init(
                    path: Array("guest".utf8), kind: .module,
                    source: .bytes(
                        try ImportedModule.rewritten(file[file.range], engine: Engine()))))
            _ = try ImageStore(image).commit(changes)
        } else {
            image = try Image(path: path)
        }
        exchange = try Exchange(ImageStore(image), endpoints: endpoints)
    }

    func post(
        _ path: [UInt8], _ type: String, _ fields: [Document.Member], replyTo: [UInt8]? = nil,
        request: Int64? = nil
    ) throws {
        var envelope = Envelope(
            sendTo: path, payload: [Document.Member(type, .object(fields))])
        envelope.replyTo = replyTo
        envelope.requestID = request.map { .integer($0) }
        try exchange.post(envelope)
    }

    func drain() throws {
        while !exchange.isIdle {
            for output in try exchange.runBatch() {
                if case .console(let document) = output { say("console \(document)") }
            }
        }
    }

    func instantiate(_ name: [UInt8]) throws {
        try post(
            Array("/othismo".utf8), "othismo.namespace.instantiate",
            [
                Document.Member("module", "guest"),
                Document.Member("name", .string(String(decoding: name, as: UTF8.self))),
            ])
    }
}

/// Resident memory that is no file, in bytes.
func memory() -> Int {
    guard
        let file = try? FileDescriptor(
            owning: unsafe Kernel.open("/proc/self/status", .readOnly))
    else {
        return 0
    }
    var buffer = [UInt8](repeating: 0, count: 8192)
    let count = unsafe buffer.withUnsafeMutableBytes {
        (try? unsafe Kernel.read(file.number, $0)) ?? 0
    }
    for line in String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("RssAnon:") {
        return (Int(line.split(separator: " ").dropLast().last ?? "") ?? 0) * 1024
    }
    return 0
}
