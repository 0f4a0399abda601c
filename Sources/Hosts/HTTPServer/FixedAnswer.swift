import WasmdHTTP

/// A response that is the same for each request, except its date: it is made once, and costs a
/// copy.
public struct FixedAnswer: Sendable {
    let head: ResponseHead
    let body: [UInt8]
    /// The bytes before and after the line of the date, for connections that are kept.
    private let before: [UInt8]
    private let after: [UInt8]

    /// - Throws: `.framingField` if the fields hold a length or a coding.
    public init(_ head: ResponseHead, body: [UInt8]) throws(WritingFault) {
        self.head = head
        self.body = body
        var request = try RequestHead(method: .get, target: [0x2f])
        request.version = .http11
        var writer = ResponseWriter(request: request)
        let date = DateLine(HTTPDate(seconds: 0))
        var line: [UInt8] = []
        date.write(to: &line)
        var all: [UInt8] = []
        try writer.write(head, body: body, date: date, to: &all)
        // Fields of the head come after the date that the writer adds; if they include a date, that
        // one is used.
        var start = all.count
        if !head.fields.contains("date"), writer.keepsAlive {
            for index in all.indices.dropLast(line.count)
            where all[index..<(index + line.count)].elementsEqual(line) {
                start = index
                break
            }
        }
        before = Array(all[..<start])
        after = Array(all[min(start + line.count, all.count)...])
    }

    /// Appends the response for a connection that is kept; false if it cannot be used for this
    /// request.
    @inline(__always)
    func write(for request: RequestHead, date: DateLine, to output: inout [UInt8]) -> Bool {
        guard request.keepsAlive, request.version == .http11, request.method != .head,
            !after.isEmpty
        else { return false }
        output.append(contentsOf: before)
        date.write(to: &output)
        output.append(contentsOf: after)
        return true
    }
}
