import WasmdHTTP

/// Header fields as guests of `wasi_experimental_http` write and read them: lines `name:value`.
enum HeaderLines {
    /// Fields that the client writes itself, or that belong to the connection and not to the
    /// request.
    private static let ownNames: [StaticString] = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te",
        "trailer", "expect", "proxy-authorization", "proxy-connection", "http2-settings",
    ]

    /// Reads the fields of a request.
    ///
    /// Of several lines with one name the last one counts. `Host`, lengths and fields of the
    /// connection are left out.
    ///
    /// - Throws: `.invalidEncoding` for a line without a colon, with a malformed name or with a
    ///   value that is not of visible ASCII.
    static func read(_ text: [UInt8]) throws(GuestHTTPError) -> Fields {
        var lines = text.split(separator: 0x0a, omittingEmptySubsequences: false)
        // The last line has an end or not.
        if lines.last?.isEmpty == true { lines.removeLast() }
        let hasLastEnd = text.last == 0x0a
        var kept: [(name: [UInt8], key: [UInt8], value: ArraySlice<UInt8>)] = []
        for (index, line) in lines.enumerated() {
            var line = line
            let hasEnd = index < lines.count - 1 || hasLastEnd
            if hasEnd, line.last == 0x0d { line.removeLast() }
            guard let colon = line.firstIndex(of: 0x3a) else { throw .invalidEncoding }
            let value = line[(colon + 1)...]
            guard value.allSatisfy({ $0 == 0x09 || 0x20...0x7e ~= $0 }) else {
                throw .invalidEncoding
            }
            let name = Array(line[..<colon])
            let key = name.map { 0x41...0x5a ~= $0 ? $0 | 0x20 : $0 }
            guard kept.count < 1000 else { throw .invalidEncoding }
            if let place = kept.firstIndex(where: { $0.key == key }) {
                kept[place].value = value
            } else {
                kept.append((name, key, value))
            }
        }
        var fields = Fields()
        do throws(WritingFault) {
            for (name, _, value) in kept { try fields.append(name: name, value: value) }
            for name in ownNames { fields.remove(name) }
            if !fields.contains("accept") { try fields.append("Accept", "*/*") }
        } catch {
            throw .invalidEncoding
        }
        return fields
    }

    /// Writes the fields of a response, with names in lower case.
    ///
    /// - Throws: `.runtime` if a value is no UTF-8 or has control characters.
    static func write(_ fields: Fields) throws(GuestHTTPError) -> [UInt8] {
        var text: [UInt8] = []
        for index in 0..<fields.count {
            let (name, value) = fields[index]
            guard let value = String(validating: value, as: UTF8.self),
                value.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
            else { throw .runtime }
            text += name.map { 0x41...0x5a ~= $0 ? $0 | 0x20 : $0 }
            text.append(0x3a)
            text += value.utf8
            text.append(0x0a)
        }
        return text
    }
}
