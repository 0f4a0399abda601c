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
            repeat {
                SystemClock.sleep(until: SystemClock.monotonic.now &+ Pager.idleTime)
            } while self?.settleIfDue() == false
        }
        if isStarted { return }
        isSettling = false
        try? pager.endGathering()
    }

    /// Whether no commits are gathered any more.
    private func settleIfDue() -> Bool {
        withTurn {
            if pager.isGatheringDue { try? pager.endGathering() }
            if pager.logWriter != nil { return false }
            isSettling = false
            return true
        }
    }
}
