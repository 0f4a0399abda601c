import WasmdDocuments
import WasmdHTTP
import WasmdHTTPServer

/// The parameters of a request's query.
struct Query {
    private let pairs: [URLEncodedForm.Pair]

    init(_ request: ServerRequest) throws {
        guard let query = request.target.query else {
            pairs = []
            return
        }
        do throws(FormError) {
            pairs = try URLEncodedForm.pairs(Array(query))
        } catch {
            throw Failure(.badRequest, "the query is malformed: \(error)")
        }
    }

    /// The values of a name, in order.
    func all(_ name: String) -> [[UInt8]] {
        pairs.filter { $0.name.elementsEqual(name.utf8) }.map(\.value)
    }

    /// The last value of a name.
    func text(_ name: String) throws(Failure) -> String? {
        guard !pairs.isEmpty, let bytes = all(name).last else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.badRequest, "'\(name)' is no UTF-8")
        }
        return text
    }

    func number(_ name: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
        guard let text = try text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Failure(
                .badRequest,
                "'\(name)' must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
