import WasmSystem

extension Image {
    /// Makes sure that the lock is released in time after a commit.
    ///
    /// Called by the thread whose turn it is.
    func scheduleSettling() {
        guard pager.logWriter != nil, options.hasSettler, !isSettling else { return }
        isSettling = true
        let options = SystemThread.Options(
            "wasmd-image", takesSignals: false, stackByteCount: 256 << 10)
        let isStarted = SystemThread.startDetached(options) { [weak self] in
            var pause: UInt64? = Pager.idleTime
            while let time = pause {
                SystemClock.sleep(until: SystemClock.monotonic.now.addingClamped(time))
                pause = self?.settleIfDue()
            }
        }
        if isStarted { return }
        isSettling = false
        try? pager.endGathering()
    }

    /// Nanoseconds until it is to be tried again; nil if no commits are gathered any more.
    private func settleIfDue() -> UInt64? {
        withTurn { () -> UInt64? in
            if pager.isGatheringDue { try? pager.endGatheringUnlessDelayed() }
            if pager.logWriter != nil { return max(Pager.idleTime, pager.delay?.length ?? 0) }
            isSettling = false
            return nil
        }
    }
}
