// swift-tools-version: 6.2
import PackageDescription

/// Measures the HTTP rooms, damages what they read, and speaks with other implementations over pipes
/// and sockets.
let package = Package(
    name: "http-tool",
    dependencies: [.package(name: "wasmd", path: "../..")],
    targets: [
        .executableTarget(
            name: "http-tool",
            dependencies: [.product(name: "WasmdHostRooms", package: "wasmd")],
            path: "Sources/http-tool")
    ],
    swiftLanguageModes: [.v6]
)
