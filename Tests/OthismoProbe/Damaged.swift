import WasmDecoder
import WasmInterpreter
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// Delivers damaged messages, as another program may put them into an image. Each has an answer, an
/// error or no effect, and after them a sound message is still answered.
func sendDamaged(_ guest: String, _ count: Int, _ seed: UInt64) throws {
    let store = MemoryStore()
    let engine = Engine()
    let file = try ModuleBytes(path: guest)
    var changes = ObjectChanges()
    changes.objects.append(
        .init(
            path: Array("/i".utf8), kind: .instance,
            source: .bytes(try ImportedModule.rewritten(file[file.range], engine: engine))))
    _ = try store.commit(changes)
    var random = Numbers(state: seed)
    let whole = try messages()
    var outcomes: [String: Int] = [:]
    var done = 0
    while done < count {
        var changes = ObjectChanges()
        for _ in 0..<min(200, count - done) {
            var bytes = whole[random.next(below: whole.count)]
            for _ in 0...random.next(below: 3) { random.damage(&bytes) }
            let targets = ["/i", "/othismo", "/", "/nobody"]
            changes.enqueued.append(
                .init(
                    target: Array(targets[random.next(below: 4)].utf8), sender: nil, bytes: bytes))
            done += 1
        }
        _ = try store.commit(changes)
        let exchange = try Exchange(store, engine: engine)
        for _ in 0..<1000 where !exchange.isIdle {
            for output in try exchange.runBatch() {
                guard case .console(let document) = output else { continue }
                let code = document["othismo.error"]?["code"]?.stringValue
                outcomes[code ?? "answer", default: 0] += 1
            }
        }
        guard exchange.isIdle else { return say("error messages go on for ever") }
        var sound = Envelope(
            sendTo: Array("/i".utf8), payload: [Document.Member("counter.get", .object([]))])
        sound.replyTo = Array("/".utf8)
        try exchange.post(sound)
        guard case .console(let answer)? = try exchange.runBatch().first,
            answer["counter.value"] != nil
        else { return say("error after \(done) messages nothing answers any more") }
    }
    for (outcome, count) in outcomes.sorted(by: { $0.key < $1.key }) { say("\(count) \(outcome)") }
    say("\(count) damaged messages")
}

private func messages() throws -> [[UInt8]] {
    let routing = Document.Member(
        "othismo",
        .object([
            Document.Member("send_to", "/i"), Document.Member("reply_to", "/"),
            Document.Member("request_id", .integer(7)),
        ]))
    let payloads: [Document.Member] = [
        Document.Member("counter.add", .object([Document.Member("by", .integer32(5))])),
        Document.Member(
            "othismo.namespace.list", .object([Document.Member("prefix", "/")])),
        Document.Member(
            "othismo.namespace.instantiate",
            .object([Document.Member("module", "/i"), Document.Member("name", "/j")])),
        Document.Member("othismo.error", .object([Document.Member("code", "trap")])),
        Document.Member("list", .array([.integer(1), .integer32(2), .double(0.5), .null, "a"])),
    ]
    var messages: [[UInt8]] = []
    for payload in payloads {
        messages.append(try BSON.write(.object([routing, payload])))
        messages.append(try BSON.write(.object([Document.Member("/i/x.y", payload.value)])))
    }
    return messages
}

/// Numbers that look random and are the same for each seed.
private struct Numbers {
    var state: UInt64

    mutating func next(below limit: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ mixed >> 31) % UInt64(max(limit, 1)))
    }

    mutating func damage(_ bytes: inout [UInt8]) {
        guard bytes.count > 8 else { return }
        let place = next(below: bytes.count)
        switch next(below: 6) {
        case 0: bytes.removeLast(next(below: bytes.count))
        case 1: bytes[place] = 0xff
        case 2: bytes[place] = 0
        case 3: bytes[place] = UInt8([1, 2, 3, 4, 5, 8, 10, 16, 18, 19, 127, 255][next(below: 12)])
        case 4: bytes.insert(contentsOf: bytes[..<place], at: place)
        default: bytes[place] ^= 1 << UInt8(next(below: 8))
        }
    }
}
