import Synchronization

/// Bounds the bytes of modules that are being received and checked, of all clients together: many slow
/// uploads take no more memory than a few.
final class UploadBudget: Sendable {
    let limit: Int
    private let taken = Atomic(0)

    /// - Parameter limit: bytes, beside the first ones of each upload.
    init(limit: Int) { self.limit = limit }

    /// Bytes of uploads beyond their first ones.
    var byteCount: Int { taken.load(ordering: .relaxed) }

    /// What one upload has taken; given back when nothing refers to it.
    final class Share: Sendable {
        private let budget: UploadBudget
        private let count = Atomic(0)

        /// Bytes of each upload that do not count: small modules are stored beside any number of
        /// large ones.
        static let free = 64 << 10

        init(_ budget: UploadBudget) { self.budget = budget }

        deinit {
            let extra = max(count.load(ordering: .relaxed) - Self.free, 0)
            budget.taken.subtract(extra, ordering: .relaxed)
        }

        /// Counts bytes that were received.
        ///
        /// - Throws: `.busy` if all uploads together have too many.
        func take(_ bytes: Int) throws(ExecutorError) {
            let before = count.load(ordering: .relaxed)
            let extra = max(before + bytes - Self.free, 0) - max(before - Self.free, 0)
            count.store(before + bytes, ordering: .relaxed)
            let sum = budget.taken.add(extra, ordering: .relaxed).newValue
            guard extra == 0 || sum <= budget.limit else {
                throw .busy(
                    "modules of \(budget.limit) bytes are being uploaded, the limit: try again")
            }
        }
    }

    func share() -> Share { Share(self) }
}
