extension Confinement {
    /// The restrictions of a server whose listeners are bound and whose folders are open: it reads
    /// and writes in the given folders, accepts connections, starts threads and waits. It opens no
    /// other file, and makes a socket only if it connects.
    ///
    /// - Parameters:
    ///   - served: folders whose files are read while the server runs, such as changed modules.
    ///   - folders: folders of the programs.
    ///   - connects: whether it makes connections, to any port.
    public static func serving(
        _ served: [[UInt8]], folders: [(path: [UInt8], isReadOnly: Bool)],
        connects: Bool = false
    ) -> Confinement {
        var confinement = Confinement()
        for path in served { confinement.landlock.allow(.path(path), .read) }
        for folder in folders {
            confinement.landlock.allow(.path(folder.path), folder.isReadOnly ? .read : .readWrite)
        }
        // Terminals are opened again, so that a wait for them can end.
        for stream in 0...2 as ClosedRange<Int32> where Kernel.isTerminal(stream) {
            confinement.landlock.allow(.descriptor(stream), [.read, .writeFiles, .devices])
        }
        if connects {
            confinement.calls = serverCalls(hasUnixSockets: false)
        } else {
            confinement.landlock.connectPorts = []
        }
        confinement.landlock.bindPorts = []
        return confinement
    }
}
