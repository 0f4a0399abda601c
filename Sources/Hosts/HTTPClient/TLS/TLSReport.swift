import WasmSystem

/// Reads what `openssl s_client -brief` writes to its standard error.
struct TLSReport: Sendable {
    enum Verdict: Hashable, Sendable {
        /// The handshake is complete, and the certificate was accepted.
        case established
        case failed(TLSError)
    }

    /// More bytes than this during the handshake end it.
    static let byteLimit = 64 << 10

    private var line: [UInt8] = []
    private var count = 0
    private var isEstablished = false
    private var failure: TLSError?
    private var lastLine = ""

    /// Takes bytes in any pieces; the verdict when there is one. After an error line more may
    /// follow: the failure is complete at the end of the bytes (`end`).
    mutating func take(_ bytes: some Sequence<UInt8>) -> Verdict? {
        for byte in bytes {
            count += 1
            if count > Self.byteLimit { return .failed(.flooded) }
            if byte != UInt8(ascii: "\n") {
                if line.count < 1024 { line.append(byte) }
                continue
            }
            defer { line.removeAll(keepingCapacity: true) }
            if let verdict = takeLine() { return verdict }
        }
        return nil
    }

    /// The failure, when the program has closed its standard error without a verdict.
    mutating func end(_ end: ChildProcess.End?) -> TLSError {
        if !line.isEmpty { _ = takeLine() }
        if let failure { return failure }
        return lastLine.isEmpty ? .ended(end) : .handshake(lastLine)
    }

    private mutating func takeLine() -> Verdict? {
        let text = String(
            decoding: line.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
        if text == "CONNECTION ESTABLISHED" {
            isEstablished = true
        } else if isEstablished, text == "Verification: OK" {
            // A failure of the certificate that the program did not act on stays one.
            return failure.map { .failed($0) } ?? .established
        } else if isEstablished, text.hasPrefix("Verification error:") {
            let reason = String(text.dropFirst("Verification error: ".count))
            return .failed(failure ?? .certificate(code: 1, reason: reason))
        } else if let rest = text.after("verify error:num=") {
            let parts = rest.split(separator: ":", maxSplits: 1)
            keep(
                .certificate(
                    code: parts.first.flatMap { Int($0) } ?? 1,
                    reason: parts.count > 1 ? String(parts[1]) : "unknown reason"))
        } else if let rest = text.after("connect:errno=") {
            let code = Int(rest).flatMap { Int32(exactly: $0) }.flatMap { $0 > 0 ? $0 : nil }
            keep(.connection(code.map { SystemError(code: $0) } ?? .connrefused))
        } else if let rest = (text.after("s_client: ") ?? text[...]).after("HTTP CONNECT failed") {
            let reason = rest.split(separator: "=", maxSplits: 1).last ?? rest
            keep(.proxy(String(reason.drop { $0 == " " || $0 == "," || $0 == ":" })))
        } else if text.contains(where: { $0 != " " }) {
            lastLine = Self.short(text)
        }
        return nil
    }

    /// The first failure is the cause of those after it.
    private mutating func keep(_ error: TLSError) { if failure == nil { failure = error } }

    /// A line of OpenSSL's errors without thread, library, function and place:
    /// `807B850E:error:0A000086:SSL routines:name:reason:file.c:1889:` gives `reason`.
    private static func short(_ text: String) -> String {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 6, parts[1] == "error" else { return String(text.prefix(300)) }
        let detail = parts.count > 8 ? String(parts[8]) : ""
        return String((parts[5] + (detail.isEmpty ? "" : ": " + detail)).prefix(300))
    }
}

extension StringProtocol {
    /// What follows a prefix; nil if it is another.
    fileprivate func after(_ prefix: String) -> SubSequence? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
