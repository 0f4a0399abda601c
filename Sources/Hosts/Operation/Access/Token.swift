import WasmSystem
import WasmdDigests

/// What a bearer of a token may do.
public struct Scopes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Read what is stored, and records of runs.
    public static let read = Scopes(rawValue: 1)
    /// Store, change and delete.
    public static let write = Scopes(rawValue: 2)
    /// Run what is stored.
    public static let run = Scopes(rawValue: 4)
    /// Everything of the admin interface.
    public static let admin = Scopes(rawValue: 8)
    public static let all: Scopes = [.read, .write, .run, .admin]

    private static let names: [(String, Scopes)] = [
        ("read", .read), ("write", .write), ("run", .run), ("admin", .admin),
    ]

    /// The scope with this name.
    public init?(name: String) {
        guard let scope = Self.names.first(where: { $0.0 == name })?.1 else { return nil }
        self = scope
    }

    /// The names, in the order read, write, run, admin.
    public var names: [String] { Self.names.filter { contains($0.1) }.map(\.0) }
}

/// A token that the configuration names, without its secret: only the secret's SHA-256 is kept, so
/// that nobody who reads the file can use it.
///
/// A secret is 32 random bytes as 64 hexadecimal digits, so that its hash cannot be guessed.
public struct Token: Sendable, Equatable {
    public var name: String
    public var digest: SHA256.Digest
    public var scopes: Scopes
    /// The tenant that it belongs to; nil for one that may use all names.
    public var tenant: String?
    /// Requests a second; nil for no limit.
    public var rate: RateLimiter<String>.Limit?

    public init(name: String, digest: SHA256.Digest, scopes: Scopes) {
        self.name = name
        self.digest = digest
        self.scopes = scopes
    }

    /// A new secret, from the system's random numbers: getrandom(2).
    ///
    /// - Throws: `SystemError`
    public static func makeSecret() throws -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        try unsafe bytes.withUnsafeMutableBytes { try unsafe Kernel.random($0) }
        return bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count < 2 ? "0" + digits : digits
        }.joined()
    }

    /// What the configuration holds for a secret.
    public static func digest(of secret: some Collection<UInt8>) -> SHA256.Digest {
        SHA256.hash(Array(secret))
    }
}

extension Token {
    /// The digest of the secret that an `Authorization` field carries: `Bearer SECRET` (RFC 6750, 2.1),
    /// the scheme in any case. Nil for another scheme.
    public static func digest(ofAuthorization field: ArraySlice<UInt8>) -> SHA256.Digest? {
        // "Bearer " has seven bytes.
        let scheme = field.prefix(7)
        guard scheme.count == 7, scheme.last == 0x20,
            zip(scheme, "bearer".utf8).allSatisfy({ $0 | 0x20 == $1 })
        else { return nil }
        let secret = field[scheme.endIndex...].drop { $0 == 0x20 }
        return secret.isEmpty ? nil : digest(of: secret)
    }
}
