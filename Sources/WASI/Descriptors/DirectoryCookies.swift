import Synchronization
import WasmInterpreter

/// Numbers for positions in a directory.
///
/// The host's positions are hashes of up to 63 bits; C libraries of 32-bit guests store the result
/// of `telldir` in 32. A position keeps its number until the guest starts from the beginning. When
/// the guest's budget for numbers or its program's total is used up, a cookie is the position
/// itself with the highest bit set, which takes no memory but does not fit `telldir`.
///
/// A directory in memory needs no cookies, because its positions are small.
///
/// Used under its lock, which also serialises threads that read one directory.
final class DirectoryCookies {
    let lock = HostLock()
    private let isIdentity: Bool
    /// Positions by their cookie minus 1.
    private var positions: [UInt64] = []
    private var hasUnnumbered = false
    private var budget: CookieBudget?
    /// The charge for the numbers, made for several at a time.
    private var holding = ResourceHolding(nil)

    /// Bytes of a number, in an array that doubles when it grows.
    private static let byteCount = 16
    private static let chargedCount = 256
    private static let unnumbered: UInt64 = 1 << 63

    /// - Parameter isIdentity: the directory's positions are small numbers already.
    init(isIdentity: Bool) { self.isIdentity = isIdentity }

    deinit { budget?.giveBack(positions.count) }

    /// The directory's position for a cookie; 0 is the start. `inval` for an unknown cookie.
    func position(of cookie: UInt64) throws(Errno) -> UInt64 {
        if cookie == 0 || isIdentity { return cookie }
        if cookie & Self.unnumbered != 0, hasUnnumbered { return cookie & ~Self.unnumbered }
        guard cookie <= UInt64(positions.count) else { throw .inval }
        return positions[Int(truncatingIfNeeded: cookie &- 1)]
    }

    func removeAll() {
        budget?.giveBack(positions.count)
        positions = []
        hasUnnumbered = false
        _ = holding.resize(to: 0)
    }

    /// The cookie for a position, which is the end of the entry that begins at the cookie `last`.
    ///
    /// - Parameters:
    ///   - budget: the guest's.
    ///   - account: of the guest's program, if it has one yet.
    func cookie(
        for position: UInt64, after last: UInt64, _ budget: CookieBudget,
        _ account: ResourceAccount? = nil
    ) -> UInt64 {
        if isIdentity { return position }
        // An entry that was read before has the same next position, unless the directory changed.
        if last < UInt64(positions.count), positions[Int(truncatingIfNeeded: last)] == position {
            return last + 1
        }
        guard last & Self.unnumbered == 0, charge(account), budget.take() else {
            hasUnnumbered = true
            return position | Self.unnumbered
        }
        self.budget = budget
        positions.append(position)
        return UInt64(positions.count)
    }
}

extension DirectoryCookies {
    /// Charges for another number if necessary.
    private func charge(_ account: ResourceAccount?) -> Bool {
        guard positions.count % Self.chargedCount == 0 else { return true }
        if positions.isEmpty { holding = ResourceHolding(account) }
        return holding.resize(to: (positions.count + Self.chargedCount) * Self.byteCount)
    }
}

/// The limit of numbers for positions in all open directories of a guest.
final class CookieBudget: Sendable {
    /// Takes 4 to 8 MiB.
    static let limit = 1 << 19
    private let left: Atomic<Int>

    init(_ count: Int = CookieBudget.limit) { left = Atomic(count) }

    func take() -> Bool {
        if left.wrappingSubtract(1, ordering: .relaxed).newValue >= 0 { return true }
        left.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    func giveBack(_ count: Int) { left.wrappingAdd(count, ordering: .relaxed) }
}
