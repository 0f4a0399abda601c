import Glibc
import Testing
import WasmSystem

@testable import WasmWASI

/// Numbers and offsets of the specification, written down a second time.
@Suite struct LayoutTests {
    private func stored(_ byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Void) throws
        -> [UInt8]
    {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount + 8, alignment: 8)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0xaa)
        // At an odd address: guests may place structures anywhere.
        body(try #require(buffer.baseAddress) + 1)
        #expect(buffer[0] == 0xaa)
        #expect(buffer[(byteCount + 1)...].allSatisfy { $0 == 0xaa })
        return Array(buffer[1...byteCount])
    }

    private let filestat = Filestat(
        dev: 0x11, ino: 0x22, filetype: .symbolicLink, nlink: 0x33, size: 0x44, atim: 0x55,
        mtim: 0x66, ctim: 0x77)

    private func words(_ bytes: [UInt8]) -> [UInt64] {
        stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    @Test func filestatLayout() throws {
        let bytes = try stored(64) { filestat.store(to: $0, .preview1) }
        #expect(words(bytes) == [0x11, 0x22, 7, 0x33, 0x44, 0x55, 0x66, 0x77])
        #expect(Filestat.size(.preview1) == 64)
    }

    @Test func olderFilestatLayout() throws {
        let bytes = try stored(56) { filestat.store(to: $0, .unstable) }
        #expect(words(bytes) == [0x11, 0x22, 0x33_0000_0007, 0x44, 0x55, 0x66, 0x77])
        #expect(Filestat.size(.unstable) == 56)
    }

    @Test func fdstatLayout() throws {
        let bytes = try stored(24) {
            Fdstat.store(
                to: $0, filetype: .regularFile, flags: [.append, .sync], base: [.fdRead],
                inheriting: [.sockAccept])
        }
        #expect(words(bytes) == [0x11_0004, 2, 1 << 29])
    }

    @Test func prestatLayout() throws {
        let bytes = try stored(8) { Prestat.store(to: $0, nameByteCount: 5) }
        #expect(words(bytes) == [5 << 32])
    }

    @Test func direntLayout() throws {
        let bytes = try stored(24) {
            Dirent.store(to: $0, next: 9, ino: 8, nameByteCount: 3, filetype: .directory)
        }
        #expect(words(bytes) == [9, 8, 3 | 3 << 32])
    }

    @Test func eventLayout() throws {
        let event = Event(
            userdata: 1, error: .badf, type: .fdWrite, byteCount: 77, isHangup: true)
        let bytes = try stored(32) { event.store(to: $0) }
        #expect(words(bytes) == [1, 8 | 2 << 16, 77, 1])
    }

    @Test func subscriptionLayouts() throws {
        let current: [UInt64] = [5, 0, 1, 1000, 7, 1]
        let older: [UInt64] = [5, 0, 99, 1, 1000, 7, 1]
        for (words, version) in [(current, Version.preview1), (older, .unstable)] {
            #expect(Subscription.size(version) == words.count * 8)
            let parsed = try words.withUnsafeBytes {
                Subscription(from: try #require($0.baseAddress), version)
            }
            let subscription = try #require(parsed)
            #expect(subscription.userdata == 5)
            guard case .clock(1, 1000, isAbsolute: true) = subscription.condition else {
                Issue.record("not the clock")
                return
            }
        }
        let unknown: [UInt64] = [5, 3, 0, 0, 0, 0]
        let parsed = try unknown.withUnsafeBytes {
            Subscription(from: try #require($0.baseAddress), .preview1)
        }
        #expect(parsed == nil)
    }

    @Test func errorNumbers() {
        let numbers: [(Errno, UInt16)] = [
            (.success, 0), (.tooBig, 1), (.acces, 2), (.again, 6), (.badf, 8), (.busy, 10),
            (.exist, 20), (.fault, 21), (.fbig, 22), (.intr, 27), (.inval, 28), (.io, 29),
            (.isdir, 31), (.loop, 32), (.mfile, 33), (.nametoolong, 37), (.noent, 44),
            (.nomem, 48), (.nospc, 51), (.nosys, 52), (.notdir, 54), (.notempty, 55),
            (.notsock, 57), (.notsup, 58), (.notty, 59), (.overflow, 61), (.perm, 63),
            (.pipe, 64), (.range, 68), (.rofs, 69), (.spipe, 70), (.timedout, 73), (.xdev, 75),
            (.notcapable, 76),
        ]
        for (error, number) in numbers { #expect(error.rawValue == number, "\(error)") }
        #expect(Errno.allCases.count == 77)
        #expect(Set(Errno.allCases.map(\.description)).count == 77)
    }

    @Test func rightsBits() {
        #expect(Rights.fdDatasync.rawValue == 1)
        #expect(Rights.fdWrite.rawValue == 0x40)
        #expect(Rights.pathOpen.rawValue == 0x2000)
        #expect(Rights.pathUnlinkFile.rawValue == 0x400_0000)
        #expect(Rights.sockAccept.rawValue == 0x2000_0000)
    }
}

@Suite struct HostErrorTests {
    /// Every error of Linux that has a namesake in the specification.
    @Test(arguments: [
        (E2BIG, Errno.tooBig), (EACCES, .acces), (EAGAIN, .again), (EWOULDBLOCK, .again),
        (EBADF, .badf), (ECONNREFUSED, .connrefused), (ECONNRESET, .connreset), (EDQUOT, .dquot),
        (EEXIST, .exist), (EINVAL, .inval), (EISDIR, .isdir), (ELOOP, .loop), (EMFILE, .mfile),
        (ENAMETOOLONG, .nametoolong), (ENOENT, .noent), (ENOSPC, .nospc), (ENOTDIR, .notdir),
        (ENOTEMPTY, .notempty), (ENOTSOCK, .notsock), (ENOTSUP, .notsup), (EOPNOTSUPP, .notsup),
        (ENOTTY, .notty), (EOVERFLOW, .overflow), (EPERM, .perm), (EPIPE, .pipe),
        (EROFS, .rofs), (ESPIPE, .spipe), (ETIMEDOUT, .timedout), (ETXTBSY, .txtbsy),
        (EXDEV, .xdev), (ENOSYS, .notsup), (ENOMEDIUM, .io), (0xfff, .io),
    ])
    func conversion(_ code: Int32, _ error: Errno) {
        #expect(Errno(SystemError(code: code)) == error)
    }
}
