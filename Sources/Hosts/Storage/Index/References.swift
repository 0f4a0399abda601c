// Soundness: keys of the index are used within the call that they are passed to.

import WasmdDigests

/// The blobs of those records that reference any. A copy costs nothing, as one of `Index`.
struct References: Sendable {
    /// Keys are two bytes for the size of the record's key, highest first, that key, a number and a
    /// digest. Locations have no meaning.
    private var index = Index()

    private static let unused = Location(
        segment: 0, offset: 0, size: 0, hasDigests: false, checksum: 0, version: 0)

    private static func prefix(_ key: UnsafeRawBufferPointer) -> [UInt8] {
        let size = UInt16(truncatingIfNeeded: key.count).bigEndian
        let bytes = unsafe withUnsafeBytes(of: size) { unsafe [UInt8]($0) }
        return unsafe bytes + [UInt8](key)
    }

    /// The digest at the end of a key of the index.
    private static func digest(_ key: UnsafeRawBufferPointer) -> SHA256.Digest? {
        let bytes = unsafe [UInt8](
            key.part(key.count - LogFormat.digestSize, LogFormat.digestSize))
        return SHA256.Digest(bytes: bytes.span)
    }

    /// The blobs of a record, in the order in which it names them.
    func digests(_ key: UnsafeRawBufferPointer) -> [SHA256.Digest] {
        let prefix = unsafe Self.prefix(key)
        var digests: [SHA256.Digest] = []
        unsafe prefix.withUnsafeBytes { start in
            unsafe index.forEach(from: start) { key, _ in
                guard unsafe key.starts(with: start) else { return false }
                if let digest = unsafe Self.digest(key) { digests.append(digest) }
                return true
            }
        }
        return digests
    }

    func digests(_ key: [UInt8]) -> [SHA256.Digest] {
        unsafe key.withUnsafeBytes { unsafe digests($0) }
    }

    /// Replaces the blobs of a record; returns those before.
    mutating func replace(
        _ key: UnsafeRawBufferPointer, _ digests: [SHA256.Digest]
    ) -> [SHA256.Digest] {
        let before = unsafe self.digests(key)
        let prefix = unsafe Self.prefix(key)
        for (number, digest) in before.enumerated() {
            index.remove(prefix + [UInt8(truncatingIfNeeded: number)] + digest.bytes)
        }
        for (number, digest) in digests.enumerated() {
            index.set(prefix + [UInt8(truncatingIfNeeded: number)] + digest.bytes, Self.unused)
        }
        return before
    }

    /// Passes on each digest as often as it is referenced.
    func forEach(_ body: (SHA256.Digest) -> Void) {
        unsafe index.forEach(from: UnsafeRawBufferPointer(start: nil, count: 0)) { key, _ in
            if let digest = unsafe Self.digest(key) { body(digest) }
            return true
        }
    }

    /// All blobs that are referenced.
    var all: Set<SHA256.Digest> {
        var all: Set<SHA256.Digest> = []
        forEach { all.insert($0) }
        return all
    }
}
