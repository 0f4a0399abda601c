import WasmdDocuments
import WasmdEventLoop

/// Cases that read a document. What is read in pieces must be what is read whole, what is written
/// must be read as the same, and the time must be in proportion to the length.
enum DocumentCases {
    /// Microseconds that any document may take, and those for each KiB: ten times what the slowest
    /// reader takes.
    private static let time = (start: 50_000, perKiB: 1000)

    static func run(_ bytes: [UInt8], _ layer: Layer, _ random: inout RandomNumbers) -> Tally {
        let start = ProcessorTime.microseconds()
        let outcome =
            switch layer {
            case .json: json(bytes, &random)
            case .toml: toml(bytes)
            case .bson: bson(bytes)
            case .form: form(bytes)
            case .names: names(bytes)
            default: multipart(bytes, &random)
            }
        let limit = time.start + bytes.count * time.perKiB / 1024
        return Tally(ProcessorTime.microseconds() - start > limit ? .tookTooLong : outcome)
    }

    private static func json(_ bytes: [UInt8], _ random: inout RandomNumbers) -> Outcome {
        var options = JSONOptions()
        options.packsBytes = random.oneIn(2)
        options.duplicates = random.oneIn(2) ? .keep : .refuse
        let whole = Result { () throws(JSONError) in try JSONReader.read(bytes, options: options) }
        let split = Result { () throws(JSONError) in
            try jsonInPieces(bytes, options, &random)
        }
        guard whole == split else { return .disagreed }
        switch whole {
        case .failure(let error):
            _ = error.description
            return .refusedByParsing
        case .success(let document):
            let text = JSONWriter.write(document)
            let indented = JSONWriter.indented(document)
            guard let again = try? JSONReader.read(text, options: options),
                JSONWriter.write(again) == text,
                let other = try? JSONReader.read(indented, options: options), other == again
            else { return .disagreed }
            return .accepted
        }
    }

    private static func jsonInPieces(
        _ bytes: [UInt8], _ options: JSONOptions, _ random: inout RandomNumbers
    ) throws(JSONError) -> Document {
        var reader = JSONReader(options: options)
        let size = random.element(of: [1, 2, 7, 100, 4096]) ?? 1
        let step = random.element(of: [1, 5, 64, 4096]) ?? 1
        for start in stride(from: 0, to: bytes.count, by: size) {
            reader.feed(Array(bytes[start..<min(bytes.count, start + size)]))
            while try reader.advance(bytes: step) == .paused {}
        }
        reader.finish()
        while true {
            if case .finished(let document) = try reader.advance(bytes: step) { return document }
        }
    }

    private static func toml(_ bytes: [UInt8]) -> Outcome {
        do {
            let document = try TOML.read(bytes)
            _ = JSONWriter.write(document)
            return .accepted
        } catch {
            _ = error.description
            return .refusedByParsing
        }
    }

    private static func bson(_ bytes: [UInt8]) -> Outcome {
        var options = BSONOptions()
        options.keepsDuplicates = true
        do {
            let document = try BSON.read(bytes, options: options)
            _ = JSONWriter.write(document)
            return try BSON.write(document) == bytes ? .accepted : .disagreed
        } catch {
            _ = error.description
            return .refusedByParsing
        }
    }

    private static func form(_ bytes: [UInt8]) -> Outcome {
        do {
            let count = try URLEncodedForm.pairs(bytes).count
            let document = try URLEncodedForm.read(bytes)
            _ = JSONWriter.write(document)
            return (document.objectValue?.count ?? 0) <= count ? .accepted : .disagreed
        } catch {
            return .refusedByParsing
        }
    }

    private static func names(_ bytes: [UInt8]) -> Outcome {
        _ = HostsFile(bytes)
        _ = ResolverConfiguration(bytes).candidates(for: "a.b")
        guard let message = NameMessage(bytes) else { return .refusedByParsing }
        _ = message.resolved()
        _ = message.question.name.description
        let again = NameMessage(NameMessage.query(message.identifier, message.question))
        return again?.question == message.question ? .accepted : .disagreed
    }

    private static func multipart(_ bytes: [UInt8], _ random: inout RandomNumbers) -> Outcome {
        let size = random.element(of: [1, 2, 3, 50, 1000]) ?? 1
        let whole = parts(bytes, max(bytes.count, 1))
        guard whole == parts(bytes, size) else { return .disagreed }
        return whole.error == nil ? .accepted : .refusedByParsing
    }

    private struct Parts: Equatable {
        var headers: [MultipartHeader] = []
        var contents: [[UInt8]] = []
        var error: FormError?
    }

    /// The parts, or only the error: which are known before it depends on the pieces.
    private static func parts(_ bytes: [UInt8], _ size: Int) -> Parts {
        var result = Parts()
        do throws(FormError) {
            var parser = try MultipartParser(boundary: Array("b".utf8))
            for start in stride(from: 0, to: bytes.count, by: size) {
                let piece = Array(bytes[start..<min(bytes.count, start + size)])
                for event in try parser.feed(piece) {
                    switch event {
                    case .begin(let header):
                        result.headers.append(header)
                        result.contents.append([])
                    case .content(let bytes):
                        result.contents[result.contents.count - 1] += bytes
                    case .end: break
                    }
                }
            }
            try parser.finish()
        } catch {
            result = Parts(error: error)
        }
        return result
    }
}
