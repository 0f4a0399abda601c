import Glibc
import Wasmd

/// Runs all examples, one after another. What they print is in `output.txt`.
@main
enum Main {
    static func main() async throws {
        show("Three lines")
        try threeLines()
        show("Modules")
        try await modules()
        show("Typed calls")
        try typedCalls()
        show("Host functions")
        try hostFunctions()
        show("Memory")
        try memoryAccess()
        show("Traps")
        try traps()
        show("Async")
        try await async()
        show("Suspension")
        try suspension()
        show("Waiting")
        try waiting()
        show("Fuel")
        try fuel()
        show("Stop")
        try await stop()
        show("Limits")
        try limits()
        show("Snapshots")
        try snapshots()
        show("Prepared modules")
        try await preparedModules()
        show("Observation")
        try observation()
        show("Determinism")
        try determinism()
        show("Errors")
        try errors()
    }

    private static func show(_ title: String) {
        print("== \(title)")
        // What guests print goes past this process's buffer.
        fflush(nil)
    }
}

/// A file of the repository, wherever this runs.
func repositoryFile(_ path: String, from here: String = #filePath) -> String {
    let parts = here.split(separator: "/").dropLast(4)
    return "/" + parts.joined(separator: "/") + "/" + path
}
