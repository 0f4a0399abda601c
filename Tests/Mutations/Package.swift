// swift-tools-version: 6.1
import PackageDescription

/// Damages modules and runs what comes out; makes programs to compare with other engines. A package
/// of its own: whoever builds wasmd need not build it.
///
///     swift build -c release --package-path Tests/Mutations
let package = Package(
    name: "wasmd-mutations",
    dependencies: [.package(name: "wasmd", path: "../..")],
    targets: [
        .executableTarget(
            name: "mutations",
            dependencies: [
                .product(name: "WasmdRooms", package: "wasmd"),
                .product(name: "WasmdHostRooms", package: "wasmd"),
            ],
            path: ".", exclude: ["README.md", "Fuzzing"])
    ],
    swiftLanguageModes: [.v6]
)
