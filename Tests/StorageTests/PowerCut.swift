@testable import WasmdStorage

/// Rebuilds what a disk may have after a power cut: everything that was synced, and any subset of
/// what was not, in pieces of 512 bytes.
struct PowerCut {
    /// What is on the disk for sure.
    private(set) var durable: DiskState
    /// What happened since, and is not synced.
    private var pending: [DiskEvent] = []

    private static let sector = 512

    init(_ start: DiskState = DiskState()) { durable = start }

    mutating func add(_ event: DiskEvent) {
        switch event {
        case .acknowledged: break
        case .datasync(let file):
            settle { pending in
                switch pending {
                case .write(file, _, _), .setSize(file, _): true
                default: false
                }
            }
        case .syncFolder(let folder):
            settle { pending in
                switch pending {
                case .link(folder, _, _), .unlink(folder, _), .rename(folder, _, _): true
                default: false
                }
            }
        case .write(let file, let offset, let bytes):
            // Each sector arrives or does not.
            var start = 0
            while start < bytes.count {
                let end = min(
                    ((offset + start) / Self.sector + 1) * Self.sector - offset, bytes.count)
                pending.append(
                    .write(file: file, offset: offset + start, bytes: Array(bytes[start..<end])))
                start = end
            }
        default: pending.append(event)
        }
    }

    private mutating func settle(_ isSettled: (DiskEvent) -> Bool) {
        for event in pending where isSettled(event) { durable.apply(event) }
        pending.removeAll(where: isSettled)
    }

    /// The number of things that are on the disk or not.
    var choices: Int { pending.count }

    /// The disk with those pending things that `keeps` chooses, by their position.
    func state(_ keeps: (Int) -> Bool) -> DiskState {
        var state = durable
        for (index, event) in pending.enumerated() where keeps(index) {
            // A rename whose old name never arrived gives the new name all the same.
            if case .rename(let folder, let old, let new) = event,
                state.folders[folder][old] == nil, let file = source(of: old, folder, before: index)
            {
                state.apply(.link(folder: folder, name: new, file: file))
            } else {
                state.apply(event)
            }
        }
        return state
    }

    private func source(of name: [UInt8], _ folder: Int, before index: Int) -> Int? {
        for event in pending[..<index].reversed() {
            if case .link(folder, name, let file) = event { return file }
        }
        return nil
    }
}

/// Numbers that look random and are the same in each run.
struct Randomness: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
