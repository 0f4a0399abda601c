// swift-tools-version: 6.2
import PackageDescription

/// Measures the HTTP room, damages what it reads, and speaks with other implementations over pipes.
let package = Package(
    name: "http-tool",
    dependencies: [.package(name: "wasmd", path: "../..")],
    targets: [
        .executableTarget(
            name: "http-tool", dependencies: [.product(name: "WasmdHTTP", package: "wasmd")],
            path: "Sources/http-tool")
    ],
    swiftLanguageModes: [.v6]
)
