/// Why a module could not be decoded, and where.
///
/// Sixteen bytes without references: throwing one costs no more than returning a number.
public struct DecodingError: Error, Hashable, Sendable {
    /// Position of the byte that is wrong, from the start of the file.
    public let offset: Int
    /// What the reason needs: features, a number or a limit.
    let payload: UInt32
    /// What the reason needs: a byte of the file, or a `DecodingLimits.Kind`.
    let detail: UInt16
    public let reason: Reason

    /// An error whose reason needs nothing more to be said.
    public init(_ reason: Reason, at offset: Int) {
        self.init(reason, at: offset, payload: 0, detail: 0)
    }

    @usableFromInline
    init(_ reason: Reason, at offset: Int, payload: UInt32, detail: UInt16) {
        self.offset = offset
        self.payload = payload
        self.detail = detail
        self.reason = reason
    }

    /// Something that belongs to `features`, which are off, is at `offset`.
    public static func requires(_ features: Features, at offset: Int) -> DecodingError {
        DecodingError(.featureRequired, at: offset, payload: features.rawValue, detail: 0)
    }

    @usableFromInline
    static func exceeds(
        _ kind: DecodingLimits.Kind, _ limit: Int, at offset: Int
    ) -> DecodingError {
        DecodingError(
            .limitExceeded, at: offset, payload: UInt32(clamping: limit), detail: kind.rawValue)
    }

    /// The features to turn on, for `featureRequired`.
    public var feature: Features? {
        reason == .featureRequired ? Features(rawValue: payload) : nil
    }

    /// The limit that was exceeded, for `limitExceeded`.
    public var limit: DecodingLimits.Kind? {
        reason == .limitExceeded ? DecodingLimits.Kind(rawValue: detail) : nil
    }

    public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        // The file and its sections
        case magicHeaderNotDetected
        case unknownBinaryVersion
        case malformedSectionID
        case unexpectedEnd
        case lengthOutOfBounds
        case sectionSizeMismatch
        case unexpectedContentAfterLastSection
        case functionAndCodeInconsistent
        case dataCountAndDataInconsistent
        /// An instruction names a data segment, but there is no data count section.
        case dataCountRequired
        // Values
        case integerRepresentationTooLong
        case integerTooLarge
        case malformedUTF8
        case zeroByteExpected
        // Types
        case malformedDefinitionType
        case malformedStorageType
        case malformedValueType
        case malformedReferenceType
        case malformedHeapType
        case malformedMutability
        case malformedLimitsFlags
        case invalidCustomPageSize
        // Entities
        case malformedImportKind
        case malformedExportKind
        case malformedElementSegmentKind
        case malformedDataSegmentKind
        case malformedElementKind
        // Instructions
        case illegalOpcode
        case endExpected
        case tooManyLocals
        case malformedBlockType
        case malformedMemoryArgument
        case malformedCatchClause
        case malformedCastFlags
        // Beyond the specification
        /// The module uses a feature that is off: see `feature`.
        case featureRequired
        /// The module is larger than `DecodingLimits` allow: see `limit`.
        case limitExceeded
        /// Nothing is wrong: decoding was to end before it was done. See `Cancellation`.
        case cancelled
    }
}

extension DecodingError: CustomStringConvertible {
    /// The reason in the words of the official test suite, where it has any.
    public var message: String {
        switch reason {
        case .magicHeaderNotDetected: "magic header not detected" + formatMessage
        case .unknownBinaryVersion: "unknown binary version" + formatMessage
        case .malformedSectionID: "malformed section id"
        case .unexpectedEnd: "unexpected end of section or function"
        case .lengthOutOfBounds: "length out of bounds"
        case .sectionSizeMismatch: "section size mismatch"
        case .unexpectedContentAfterLastSection: "unexpected content after last section"
        case .functionAndCodeInconsistent: "function and code section have inconsistent lengths"
        case .dataCountAndDataInconsistent: "data count and data section have inconsistent lengths"
        case .dataCountRequired: "data count section required"
        case .integerRepresentationTooLong: "integer representation too long"
        case .integerTooLarge: "integer too large"
        case .malformedUTF8: "malformed UTF-8 encoding"
        case .zeroByteExpected: "zero byte expected"
        case .malformedDefinitionType: "malformed definition type"
        case .malformedStorageType: "malformed storage type"
        case .malformedValueType: "malformed value type"
        case .malformedReferenceType: "malformed reference type"
        case .malformedHeapType: "malformed heap type"
        case .malformedMutability: "malformed mutability"
        case .malformedLimitsFlags: "malformed limits flags"
        case .invalidCustomPageSize: "invalid custom page size"
        case .malformedImportKind: "malformed import kind"
        case .malformedExportKind: "malformed export kind"
        case .malformedElementSegmentKind: "malformed elements segment kind"
        case .malformedDataSegmentKind: "malformed data segment kind"
        case .malformedElementKind: "malformed element kind"
        case .illegalOpcode: "illegal opcode \(illegalOpcode)"
        case .endExpected: "END opcode expected"
        case .tooManyLocals: "too many locals"
        case .malformedBlockType: "malformed block type"
        case .malformedMemoryArgument: "malformed memop flags"
        case .malformedCatchClause: "malformed catch clause"
        case .malformedCastFlags: "malformed cast flags"
        case .featureRequired: Self.requirement(Features(rawValue: payload))
        case .cancelled: "decoding was cancelled"
        case .limitExceeded: "\(limit?.excess ?? "limit exceeded") (at most \(payload))"
        }
    }

    /// `offset 0x1f: illegal opcode ff`
    public var description: String { "offset 0x\(hexadecimal(offset)): \(message)" }

    /// What the file is instead of a module, if that is known.
    private var formatMessage: String {
        if detail == Self.textDetail { return ": this looks like the text format (.wat)" }
        if detail == Self.otherTextDetail {
            return ": this is text, but not a module in the text format, which begins with '('"
        }
        let place = Int(detail) - 1
        guard FileFormat.allCases.indices.contains(place) else { return "" }
        return ": \(FileFormat.allCases[place].message)"
    }

    /// For a file that starts with these bytes and is no module.
    static func detail(of start: [UInt8]) -> UInt16 {
        let first = start.first { $0 != 0x20 && !(0x09...0x0d ~= $0) }
        if first == UInt8(ascii: "(") || first == UInt8(ascii: ";") { return textDetail }
        guard let format = FileFormat(start),
            let place = FileFormat.allCases.firstIndex(of: format)
        else {
            let isText = start.allSatisfy { 0x20...0x7e ~= $0 || 0x09...0x0d ~= $0 }
            return isText && start.count >= 4 ? otherTextDetail : 0
        }
        return UInt16(truncatingIfNeeded: place + 1)
    }

    private static var textDetail: UInt16 { .max }
    /// Text that does not begin as a module does.
    private static var otherTextDetail: UInt16 { .max - 1 }

    /// `ff`, or `fc 7b` for an opcode of two parts.
    private var illegalOpcode: String {
        let first = hexadecimal(detail)
        return (0xfb...0xfe).contains(detail) ? "\(first) \(hexadecimal(payload))" : first
    }

    /// Says which features are missing and how to turn them on.
    private static func requirement(_ features: Features) -> String {
        let names = features.names
        let noun = names.count == 1 ? "feature" : "features"
        let flags = names.map { "+\($0)" }.joined(separator: ",")
        return "requires the \(noun) \(names.joined(separator: ", ")) (--features \(flags))"
    }
}
