import Wasmd

/// A program that was compiled for WASI, run with arguments; it sees nothing else of this machine.
func threeLines() throws {
    let file = repositoryFile("Examples/hello/hello.wasm")
    let status = try WASI(arguments: ["hello", "from", "Swift"]).run(file)
    print("exit code", status)
}
