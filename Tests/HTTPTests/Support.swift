import WasmdHTTP

/// The bytes of a text, with `\r\n` as written.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: (some Sequence<UInt8>)?) -> String? {
    bytes.map { String(decoding: Array($0), as: UTF8.self) }
}

/// What came of a stream of requests: each head with its body, then the fault that ended it.
struct ParsedRequests: Equatable {
    var heads: [RequestHead] = []
    var bodies: [[UInt8]] = []
    var trailers: [Fields] = []
    var fault: RequestFault?

    /// Parses pieces one after the other, as they come from a socket.
    init(_ pieces: [[UInt8]], limits: MessageLimits = MessageLimits()) {
        var parser = RequestParser(limits: limits)
        do throws(RequestFault) {
            for piece in pieces {
                var position = 0
                while let event = try parser.next(piece.span, at: &position) {
                    switch event {
                    case .head(let head):
                        heads.append(head)
                        bodies.append([])
                    case .body(let range): bodies[bodies.count - 1] += piece[range]
                    case .end(let trailers): self.trailers.append(trailers)
                    }
                }
            }
            try parser.finish()
        } catch {
            fault = error
        }
    }

    init(_ text: String, limits: MessageLimits = MessageLimits()) {
        self.init([bytes(text)], limits: limits)
    }
}

/// The same for responses to requests with given methods.
struct ParsedResponses: Equatable {
    var heads: [ResponseHead] = []
    var interim: [ResponseHead] = []
    var bodies: [[UInt8]] = []
    var trailers: [Fields] = []
    var fault: ResponseFault?

    init(
        _ pieces: [[UInt8]], methods: [WasmdHTTP.Method] = [.get],
        limits: MessageLimits = MessageLimits()
    ) {
        var parser = ResponseParser(limits: limits)
        for method in methods { parser.expect(method) }
        do throws(ResponseFault) {
            for piece in pieces {
                var position = 0
                while let event = try parser.next(piece.span, at: &position) {
                    take(event, piece)
                }
            }
            if let event = try parser.finish() { take(event, []) }
        } catch {
            fault = error
        }
    }

    private mutating func take(_ event: ResponseEvent, _ piece: [UInt8]) {
        switch event {
        case .interim(let head): interim.append(head)
        case .head(let head):
            heads.append(head)
            bodies.append([])
        case .body(let range): bodies[bodies.count - 1] += piece[range]
        case .end(let trailers): self.trailers.append(trailers)
        }
    }
}

/// All ways to split bytes in two, and all bytes one by one.
func splits(_ bytes: [UInt8]) -> [[[UInt8]]] {
    (0...bytes.count).map { [Array(bytes[..<$0]), Array(bytes[$0...])] } + [bytes.map { [$0] }]
}

/// A head from the text of a request without a body.
func request(_ text: String) throws -> RequestHead {
    let parsed = ParsedRequests(text)
    if let fault = parsed.fault { throw fault }
    return parsed.heads[0]
}

/// Numbers that look random and are the same in each run.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// Damages bytes in one to four places.
    mutating func mutate(_ bytes: inout [UInt8], with dictionary: [[UInt8]]) {
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let index = Int.random(in: 0...bytes.count, using: &self)
            switch Int.random(in: 0..<5, using: &self) {
            case 0 where index < bytes.count:
                bytes[index] = UInt8.random(in: 0...255, using: &self)
            case 1 where index < bytes.count: bytes.remove(at: index)
            case 2:
                bytes.insert(contentsOf: dictionary.randomElement(using: &self) ?? [], at: index)
            case 3 where index < bytes.count:
                let end = Int.random(in: index...min(index + 40, bytes.count), using: &self)
                bytes.insert(contentsOf: bytes[index..<end], at: index)
            case 4 where index < bytes.count:
                let end = Int.random(in: index...min(index + 40, bytes.count), using: &self)
                bytes.removeSubrange(index..<end)
            default: break
            }
        }
    }

    /// Cuts bytes into pieces of at most 64 bytes.
    mutating func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + Int.random(in: 1...64, using: &self), bytes.count)
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }
}
