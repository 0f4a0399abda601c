import WasmdEventLoop
import WasmdGuests

/// The end of a server: what its clients know of must be there after a restart.
extension Supervisor {
    /// How long the last save of an instance waits for the end of a run.
    private static let lastWait = Duration.seconds(30)

    /// Ends all runs, those that begin from now on, and holds: when the server has stopped for as long
    /// as requests may take. What a request waits for ends with it, and `finish` does.
    public func endRuns() {
        pending.stopAll()
        for module in deployments.flatMap(\.modules) {
            module.home?.spawn { module.endHold() }
        }
    }

    /// Waits for the end of the runs that nobody waits for any more, and then saves what runs have
    /// changed and what is not durable yet, for `Options.state == .interval`: to be called when no
    /// request is left, before the loops end, which cancels saves. `endRuns` ends the wait.
    ///
    /// - Parameter loop: that of the caller.
    public func finish(on loop: EventLoop) async {
        var pause = Duration.milliseconds(1)
        while pending.count > 0 {
            guard (try? await loop.sleep(for: pause)) != nil else { break }
            pause = min(pause * 2, .milliseconds(50))
        }
        // One after another: a state is in memory twice while it is saved.
        for module in deployments.flatMap(\.modules) {
            guard let home = module.home else { continue }
            await home.spawn { [self] in
                // Nobody releases the instance any more, and its place is needed.
                module.endHold()
                // A save that is on its way may be older than the last run.
                guard module.saving.unfinished > 0 else { return }
                await save(module, waitingAtMost: Self.lastWait, on: home)
            }.value
        }
    }
}
