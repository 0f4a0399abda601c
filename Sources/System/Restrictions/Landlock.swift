import Glibc

// Invariant: structures are passed to the kernel as bytes in its own layout, with their size.

/// The files and ports that a process may still use after it has restricted itself: landlock(7).
///
///     var landlock = Landlock()
///     landlock.allow(.path(data), .readWrite)
///     landlock.connectPorts = []
///     let enforced = try landlock.restrict()
///
/// A restriction holds for the calling thread and for threads and processes that it starts later,
/// so it must come before the first thread; it cannot be undone. Open files are not affected.
/// System calls that open nothing (status of a file by its path, changing its mode or times) are
/// not restricted.
public struct Landlock: Sendable {
    /// The accesses that stay allowed beneath a folder, or for a file.
    public struct Access: OptionSet, Sendable {
        public let rawValue: UInt64

        public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// Reading files and listing folders.
        public static let read = Access(rawValue: 1 << 2 | 1 << 3)
        /// Writing to existing files.
        public static let writeFiles = Access(rawValue: 1 << 1 | 1 << 14)
        /// Removing files and empty folders.
        public static let remove = Access(rawValue: 1 << 4 | 1 << 5)
        /// Making files, folders, links, pipes and unix sockets; renaming between folders.
        public static let make = Access(rawValue: 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | otherMakes)
        private static let otherMakes: UInt64 = 1 << 12 | 1 << 13
        /// Executing files.
        public static let execute = Access(rawValue: 1 << 0)
        /// Control calls of devices, such as those of terminals.
        public static let devices = Access(rawValue: 1 << 15)
        public static let readWrite: Access = [.read, .writeFiles, .remove, .make]

        /// The rights that a rule for a file, not a folder, may hold.
        fileprivate static let ofFiles = Access(rawValue: 0b111 | 1 << 14 | 1 << 15)
    }

    /// The file or folder that a rule is for.
    public enum Place: Sendable {
        case path([UInt8])
        /// An open file or folder, also one that was opened as a path only.
        case descriptor(Int32)
    }

    /// The parts of a request that the kernel enforces.
    public struct Enforcement: Sendable, Equatable, CustomStringConvertible {
        /// The version of Landlock; 0 if the kernel has none or it is disabled.
        public var version: Int
        /// Whether the kernel enforces everything that was requested.
        public var isWhole = false
        /// Files and folders (version 1).
        public var files = false
        /// Renaming between folders (2), shortening files (3), control calls of devices (5).
        public var links = false, truncation = false, devices = false
        /// TCP ports (4).
        public var ports = false
        /// Unix sockets without a file, and signals to other processes (6).
        public var scopes = false

        public var description: String {
            if version == 0 { return "no Landlock in this kernel" }
            let parts = [
                (files, "files"), (links, "links"), (truncation, "truncation"),
                (devices, "devices"), (ports, "TCP ports"), (scopes, "sockets and signals"),
            ]
            let words = parts.filter(\.0).map(\.1).joined(separator: ", ")
            return "Landlock \(version): \(words.isEmpty ? "nothing" : words)"
        }
    }

    /// Why restricting failed.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var error: SystemError
        /// The path of the rule's place; nil if the failure concerns no place, or one without a
        /// path.
        public var path: [UInt8]?

        public var description: String {
            guard let path else { return error.description }
            return String(decoding: path, as: UTF8.self) + ": \(error)"
        }
    }

    private var rules: [(place: Place, access: Access)] = []
    /// TCP ports that may be connected to; nil for all.
    public var connectPorts: Set<UInt16>?
    /// TCP ports that may be bound; nil for all.
    public var bindPorts: Set<UInt16>?
    /// Whether unix sockets without a file and processes outside cannot be reached.
    public var isScoped = true

    /// No file is allowed without `allow`; ports are unrestricted until they are set.
    public init() {}

    public mutating func allow(_ place: Place, _ access: Access) {
        rules.append((place, access))
    }

    /// The version of Landlock that the kernel has; 0 for none. Costs one system call.
    public static var version: Int {
        max(0, symbol_syscall(createRuleset, 0, 0, 1, 0, 0, 0))
    }

    /// Restricts the calling thread, and threads and processes that it starts from now on. Programs
    /// that are executed later get no rights from their files (`PR_SET_NO_NEW_PRIVS`).
    ///
    /// - Returns: the enforced parts; none where the kernel has no Landlock.
    /// - Throws: `ENOENT` and others for a place that cannot be opened; `E2BIG` after 16
    ///   restrictions.
    public func restrict() throws(Failure) -> Enforcement {
        let version = Self.version
        var enforcement = Enforcement(version: version)
        guard version > 0 else { return enforcement }
        let handled = Self.handledFiles(version)
        let wanted = isScoped ? 6 : 5
        enforcement.isWhole = version >= wanted
        enforcement.files = true
        enforcement.links = version >= 2
        enforcement.truncation = version >= 3
        enforcement.devices = version >= 5
        enforcement.ports = version >= 4 && (connectPorts != nil || bindPorts != nil)
        enforcement.scopes = version >= 6 && isScoped
        var ports: UInt64 = 0
        if version >= 4, bindPorts != nil { ports |= Self.bind }
        if version >= 4, connectPorts != nil { ports |= Self.connect }
        let attributes = [handled, ports, enforcement.scopes ? 0b11 : 0]
        // A kernel accepts only the fields that its version has.
        let size = version >= 6 ? 24 : version >= 4 ? 16 : 8
        let made = unsafe attributes.withUnsafeBytes {
            unsafe symbol_syscall(Self.createRuleset, word($0), size, 0, 0, 0, 0)
        }
        guard made >= 0 else { throw Failure(error: .ofLastCall) }
        let ruleset = FileDescriptor(owning: Int32(truncatingIfNeeded: made))
        for (place, access) in rules {
            do throws(SystemError) {
                try Self.add(place, access.rawValue & handled, to: ruleset.number)
            } catch {
                guard case .path(let path) = place else { throw Failure(error: error) }
                throw Failure(error: error, path: path)
            }
        }
        do throws(SystemError) {
            if version >= 4 { try addPorts(to: ruleset.number) }
            try CurrentProcess.forbidNewPrivileges()
            let number = Int(ruleset.number)
            try retrying { symbol_syscall(Self.restrictSelf, number, 0, 0, 0, 0, 0) }
        } catch {
            throw Failure(error: error)
        }
        return enforcement
    }

    private func addPorts(to ruleset: Int32) throws(SystemError) {
        for port in bindPorts ?? [] { try Self.add(port, Self.bind, to: ruleset) }
        for port in connectPorts ?? [] { try Self.add(port, Self.connect, to: ruleset) }
    }

    // MARK: The kernel's numbers

    /// The same on every architecture.
    private static let createRuleset = 444
    private static let addRule = 445
    private static let restrictSelf = 446
    private static let pathBeneath = 1
    private static let netPort = 2
    private static let bind: UInt64 = 1
    private static let connect: UInt64 = 2

    /// The rights of files that a version supports; those that no rule gives are refused.
    private static func handledFiles(_ version: Int) -> UInt64 {
        let count = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13
        return 1 << UInt64(count) - 1
    }

    private static func add(
        _ place: Place, _ access: UInt64, to ruleset: Int32
    ) throws(SystemError) {
        switch place {
        case .descriptor(let number): try add(descriptor: number, access, to: ruleset)
        case .path(let path):
            let file = unsafe FileDescriptor(
                owning: try Kernel.open(CString(path: path), [.pathOnly, .closeOnExec]))
            try add(descriptor: file.number, access, to: ruleset)
        }
    }

    private static func add(
        descriptor: Int32, _ access: UInt64, to ruleset: Int32
    ) throws(SystemError) {
        let isFolder = try Kernel.status(descriptor).kind == .directory
        let access = isFolder ? access : access & Access.ofFiles.rawValue
        if access == 0 { return }
        // Twelve bytes: the rights, then the descriptor, without a gap.
        var rule: [UInt8] = []
        unsafe withUnsafeBytes(of: access) { unsafe rule.append(contentsOf: $0) }
        unsafe withUnsafeBytes(of: descriptor) { unsafe rule.append(contentsOf: $0) }
        try retrying {
            unsafe rule.withUnsafeBytes {
                unsafe symbol_syscall(addRule, Int(ruleset), pathBeneath, word($0), 0, 0, 0)
            }
        }
    }

    private static func add(
        _ port: UInt16, _ access: UInt64, to ruleset: Int32
    ) throws(SystemError) {
        let rule = [access, UInt64(port)]
        try retrying {
            unsafe rule.withUnsafeBytes {
                unsafe symbol_syscall(addRule, Int(ruleset), netPort, word($0), 0, 0, 0)
            }
        }
    }
}

/// The address of a buffer, as an argument of a system call.
private func word(_ bytes: UnsafeRawBufferPointer) -> Int { Int(bitPattern: bytes.baseAddress) }
