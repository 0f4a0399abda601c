// Invariant: every read checks its range against the memory's size before; addresses and counts of
// the guest are not trusted. Other threads may write meanwhile: every number is read once, and
// shown as it was read.

import WasmInterpreter

/// Converts the memory that a call's arguments point at to text.
struct TraceReader {
    private let memory: GuestMemory?
    private let slots: [UInt64]
    private let dataLimit: Int
    private let function: WASIFunction
    private var version: Version { function.version }

    /// The most elements shown of a list.
    private static let listLimit = 4

    init(
        _ memory: GuestMemory?, _ slots: [UInt64], _ dataLimit: Int, _ function: WASIFunction
    ) {
        self.memory = memory
        self.slots = slots
        self.dataLimit = max(0, dataLimit)
        self.function = function
    }

    // MARK: Slots and memory

    private func slot(_ index: Int) -> UInt64 { slots.indices.contains(index) ? slots[index] : 0 }
    /// An address or count, of 32 bits.
    private func word(_ index: Int) -> UInt64 { slot(index) & 0xffff_ffff }

    /// A number at an address; nil if it is not in the memory.
    private func load<Number: FixedWidthInteger & BitwiseCopyable>(
        _ address: UInt64, _: Number.Type
    ) -> Number? {
        let size = MemoryLayout<Number>.size
        guard let memory, memory.contains(at: address, count: UInt64(size)) else { return nil }
        return Number(
            littleEndian: memory.base.loadUnaligned(
                fromByteOffset: Int(truncatingIfNeeded: address), as: Number.self))
    }

    /// `count` bytes, or the first `limit` of them; nil if they are not in the memory.
    private func bytes(_ address: UInt64, _ count: UInt64, _ limit: Int) -> [UInt8]? {
        let shown = min(count, UInt64(limit))
        guard let memory, memory.contains(at: address, count: shown) else { return nil }
        return [UInt8](
            UnsafeRawBufferPointer(
                start: memory.base + Int(truncatingIfNeeded: address),
                count: Int(truncatingIfNeeded: shown)))
    }

    private func bad(_ address: UInt64) -> String { "bad:0x" + String(address, radix: 16) }

    /// `"text"`, or `"beginning"...+960` if there is more.
    private func quoted(_ address: UInt64, _ count: UInt64, _ limit: Int) -> String {
        guard let bytes = bytes(address, count, limit) else { return bad(address) }
        return TraceText.quoted(bytes)
            + (count > UInt64(limit) ? "...+\(count - UInt64(limit))" : "")
    }

    private func list(_ shown: [String], of count: UInt64) -> String {
        let more = count > UInt64(shown.count) ? ", ...+\(count - UInt64(shown.count))" : ""
        return "[" + shown.joined(separator: ", ") + more + "]"
    }

    // MARK: Arguments

    /// Texts of the arguments, before the call.
    var argumentTexts: [String] { function.parameters.compactMap(argument) }

    private func argument(_ parameter: WASIFunction.ParameterRow) -> String? {
        let slot = parameter.slot
        let value: String? =
            switch parameter.meaning {
            case .number: "\(self.slot(slot))"
            case .signedNumber: "\(Int64(bitPattern: self.slot(slot)))"
            case .opaque: "0x" + String(word(slot), radix: 16)
            case .word(let words): TraceText.word(word(slot), words)
            case .whence:
                TraceText.word(
                    word(slot), version == .preview1 ? TraceWords.whence : TraceWords.oldWhence)
            case .flags(let words): TraceText.flags(self.slot(slot), words)
            case .path: quoted(word(slot), word(slot + 1), dataLimit * 8)
            case .contents: contents(slot)
            case .filledBuffers: sizes(slot)
            case .subscriptions: subscriptions(slot)
            default: nil
            }
        return value.map { "\(parameter.name)=\($0)" }
    }

    /// The shown buffers of the array at slot `index`.
    private func vectors(_ index: Int, _ limit: Int) -> [(address: UInt64, count: UInt64)]? {
        let count = min(word(index + 1), UInt64(limit))
        var vectors: [(UInt64, UInt64)] = []
        for number in 0..<count {
            let place = word(index) + number * UInt64(Iovec.size)
            guard let address = load(place, UInt32.self), let size = load(place + 4, UInt32.self)
            else { return nil }
            vectors.append((UInt64(address), UInt64(size)))
        }
        return vectors
    }

    private func contents(_ index: Int) -> String {
        guard let vectors = vectors(index, Self.listLimit) else { return bad(word(index)) }
        return list(vectors.map { quoted($0.address, $0.count, dataLimit) }, of: word(index + 1))
    }

    private func sizes(_ index: Int) -> String {
        guard let vectors = vectors(index, Self.listLimit) else { return bad(word(index)) }
        return list(vectors.map { "\($0.count)" }, of: word(index + 1))
    }

    private func subscriptions(_ index: Int) -> String {
        let count = word(index + 2)
        let size = UInt64(Subscription.size(version))
        var shown: [String] = []
        for number in 0..<min(count, UInt64(Self.listLimit)) {
            guard let text = subscription(word(index) + number * size) else {
                return bad(word(index))
            }
            shown.append(text)
        }
        return list(shown, of: count)
    }

    /// `clock(monotonic, 1000000)`, `clock(realtime, until 1700000000000000000)`, `fd_read(0)`
    private func subscription(_ address: UInt64) -> String? {
        guard let kind = load(address + 8, UInt8.self) else { return nil }
        guard kind == 0 else {
            return load(address + 16, UInt32.self).map {
                "\(TraceText.word(UInt64(kind), TraceWords.eventtypes))(\($0))"
            }
        }
        let clock = address + (version == .preview1 ? 16 : 24)
        guard let id = load(clock, UInt32.self), let timeout = load(clock + 8, UInt64.self),
            let flags = load(clock + 24, UInt16.self)
        else { return nil }
        let until = flags & 1 != 0 ? "until " : ""
        return "clock(\(TraceText.word(UInt64(id), TraceWords.clocks)), \(until)\(timeout))"
    }

    // MARK: Results

    /// The results of the call: numbers and structures, then the data whose size they give.
    func resultTexts(_ guest: WASIGuest) -> [String] {
        (function.parameters.map(number) + function.parameters.map { content($0, guest) })
            .filter { !$0.isEmpty }
    }

    /// Empty if there is none.
    private func number(_ parameter: WASIFunction.ParameterRow) -> String {
        let place = word(parameter.slot)
        return switch parameter.meaning {
        case .result32: number(parameter.name, load(place, UInt32.self))
        case .result64: number(parameter.name, load(place, UInt64.self))
        case .result16(let words):
            load(place, UInt16.self).map {
                "\(parameter.name)=\(TraceText.flags(UInt64($0), words))"
            } ?? ""
        case .filestat: filestat(place)
        case .fdstat: fdstat(place)
        case .prestat: number("pr_name_len", load(place + 4, UInt32.self))
        default: ""
        }
    }

    private func content(_ parameter: WASIFunction.ParameterRow, _ guest: WASIGuest) -> String {
        let slot = parameter.slot
        return switch parameter.meaning {
        case .text:
            "\(parameter.name)=\(quoted(word(slot), word(slot + 1), dataLimit * 8))"
        case .usedText:
            used.map { "\(parameter.name)=\(quoted(word(slot), $0, dataLimit * 8))" } ?? ""
        case .filledBuffers: data(slot)
        case .entries: entries(word(slot))
        case .events: events(word(slot))
        case .arguments: "argv=" + strings(guest.arguments) { $0 }
        // Values of variables are often secrets.
        case .environment: "environ=" + strings(guest.environment) { $0.prefix { $0 != 0x3d } }
        default: ""
        }
    }

    /// The written size, from the first number.
    private var used: UInt64? {
        let parameter = function.parameters.first {
            if case .result32 = $0.meaning { true } else { false }
        }
        return parameter.flatMap { load(word($0.slot), UInt32.self) }.map(UInt64.init)
    }

    private func number(_ name: String, _ value: (some FixedWidthInteger)?) -> String {
        value.map { "\(name)=\($0)" } ?? ""
    }

    private func strings(
        _ strings: PackedStrings, _ part: (ArraySlice<UInt8>) -> ArraySlice<UInt8>
    ) -> String {
        let shown = strings.offsets.prefix(Self.listLimit * 4).map { offset in
            let bytes = strings.bytes[Int(offset)...].prefix { $0 != 0 }
            return TraceText.quoted([UInt8](part(bytes).prefix(dataLimit * 8)))
        }
        return list(shown, of: UInt64(strings.offsets.count))
    }

    private func filestat(_ address: UInt64) -> String {
        // The older version begins with a link count of 32 bits.
        let isNew = version == .preview1
        let size = address + (isNew ? 32 : 24)
        guard let kind = load(address + 16, UInt8.self), let dev = load(address, UInt64.self),
            let ino = load(address + 8, UInt64.self),
            let nlink = isNew
                ? load(address + 24, UInt64.self)
                : load(address + 20, UInt32.self).map(UInt64.init),
            let byteCount = load(size, UInt64.self), let atim = load(size + 8, UInt64.self),
            let mtim = load(size + 16, UInt64.self), let ctim = load(size + 24, UInt64.self)
        else { return "" }
        let type = TraceText.word(UInt64(kind), TraceWords.filetypes)
        return "filetype=\(type) size=\(byteCount) nlink=\(nlink) dev=\(dev) ino=\(ino)"
            + " atim=\(atim) mtim=\(mtim) ctim=\(ctim)"
    }

    private func fdstat(_ address: UInt64) -> String {
        guard let kind = load(address, UInt8.self), let flags = load(address + 2, UInt16.self),
            let base = load(address + 8, UInt64.self),
            let inheriting = load(address + 16, UInt64.self)
        else { return "" }
        return "fs_filetype=\(TraceText.word(UInt64(kind), TraceWords.filetypes))"
            + " fs_flags=\(TraceText.flags(UInt64(flags), TraceWords.fdflags))"
            + " fs_rights_base=\(TraceText.flags(base, TraceWords.rights))"
            + " fs_rights_inheriting=\(TraceText.flags(inheriting, TraceWords.rights))"
    }

    /// The first bytes that were written to the buffers of the array at slot `index`.
    private func data(_ index: Int) -> String {
        guard let total = used, let vectors = vectors(index, 64) else { return "" }
        var found: [UInt8] = []
        for vector in vectors where found.count < dataLimit {
            let left = total - UInt64(found.count)
            guard left > 0,
                let next = bytes(
                    vector.address, min(vector.count, left), dataLimit - found.count)
            else { break }
            found += next
        }
        let more = total > UInt64(found.count) ? "...+\(total - UInt64(found.count))" : ""
        return "data=\(TraceText.quoted(found))\(more)"
    }

    /// The names of a folder's entries, of which the last may be truncated.
    private func entries(_ address: UInt64) -> String {
        guard let used else { return "" }
        let end = address + used
        var place = address
        var shown: [String] = []
        var count: UInt64 = 0
        while place + UInt64(Dirent.size) <= end, let length = load(place + 16, UInt32.self) {
            let name = place + UInt64(Dirent.size)
            guard name + UInt64(length) <= end else { break }
            count += 1
            if shown.count < Self.listLimit {
                shown.append(quoted(name, UInt64(length), dataLimit * 8))
            }
            place = name + UInt64(length)
        }
        return "entries=" + list(shown, of: count)
    }

    /// `[clock(success), fd_read(success, nbytes=5)]`
    private func events(_ address: UInt64) -> String {
        guard let total = used else { return "" }
        var shown: [String] = []
        for number in 0..<min(total, UInt64(Self.listLimit)) {
            let place = address + number * UInt64(Event.size)
            guard let error = load(place + 8, UInt16.self), let kind = load(place + 10, UInt8.self),
                let bytes = load(place + 16, UInt64.self)
            else { return "" }
            shown.append(
                TraceText.word(UInt64(kind), TraceWords.eventtypes)
                    + "(\(WASIFunction.Result.errno(UInt32(error)))"
                    + (kind == 0 ? ")" : ", nbytes=\(bytes))"))
        }
        return "events=" + list(shown, of: total)
    }
}

/// Numbers and bytes as text.
enum TraceText {
    /// A word by its number; others are hexadecimal.
    static func word(_ number: UInt64, _ words: [String]) -> String {
        number < UInt64(words.count)
            ? words[Int(truncatingIfNeeded: number)] : "0x" + String(number, radix: 16)
    }

    /// `creat|trunc`; 0 without any; `all`, or `~(fd_write|fd_seek)` with the missing ones if that
    /// is shorter; unknown bits are a hexadecimal number.
    static func flags(_ bits: UInt64, _ words: [String]) -> String {
        if bits == 0 { return "0" }
        var names: [String] = []
        var missing: [String] = []
        for (bit, word) in words.enumerated() {
            if bits & (1 << UInt64(bit)) != 0 { names.append(word) } else { missing.append(word) }
        }
        let unknown = bits & ~((1 << UInt64(words.count)) - 1)
        if unknown != 0 { names.append("0x" + String(unknown, radix: 16)) }
        guard words.count > 8, unknown == 0 else { return names.joined(separator: "|") }
        if missing.isEmpty { return "all" }
        return missing.count < names.count
            ? "~(" + missing.joined(separator: "|") + ")" : names.joined(separator: "|")
    }

    /// Text in quotes with escapes as in C; printable UTF-8 is unchanged.
    static func quoted(_ bytes: [UInt8]) -> String {
        var text = "\""
        var decoder = UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var index = 0
        parsing: while true {
            switch decoder.parseScalar(from: &iterator) {
            case .emptyInput: break parsing
            case .error(let length):
                for byte in bytes[index..<min(bytes.count, index + length)] { text += hex(byte) }
                index += length
            case .valid(let encoded):
                let scalar = UTF8.decode(encoded)
                index += encoded.count
                append(scalar, to: &text)
            }
        }
        return text + "\""
    }

    private static func append(_ scalar: Unicode.Scalar, to text: inout String) {
        switch scalar {
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        default:
            if isPrintable(scalar) {
                text.unicodeScalars.append(scalar)
            } else if scalar.isASCII {
                text += hex(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                text += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
            .unassigned:
            false
        default: true
        }
    }

    private static func hex(_ byte: UInt8) -> String {
        "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
