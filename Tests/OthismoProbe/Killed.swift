import WasmdDocuments
import WasmdOthismo

/// Sends messages until the process is killed. Prints "SENDER VALUE" when an answer is durable: how
/// often the sender's instance was told to add 1.
func sendUntilKilled(_ path: [UInt8], _ guest: String, _ senders: Int) throws {
    let endpoints = (0..<senders).map { Array("/sender/\($0)".utf8) }
    var isNew = false
    let house: House
    do {
        house = try House(path, guest: nil, endpoints: endpoints)
    } catch {
        isNew = true
        house = try House(path, guest: guest, endpoints: endpoints)
    }
    if isNew {
        for sender in 0..<senders { try house.instantiate(Array("/i/\(sender)".utf8)) }
        try house.drain()
    }
    func send(_ sender: Int) throws {
        try house.post(
            Array("/i/\(sender)".utf8), "counter.add", [], replyTo: endpoints[sender], request: 1)
    }
    for sender in 0..<senders { try send(sender) }
    say("ready")
    while true {
        for output in try house.exchange.runBatch() {
            guard case .endpoint(let path, let envelope) = output,
                let sender = endpoints.firstIndex(of: path)
            else { continue }
            let value = envelope.payload.first?.value["value"]?.integerValue
            guard let value else { return say("error \(envelope.payload)") }
            say("\(sender) \(value)")
            try send(sender)
        }
    }
}
