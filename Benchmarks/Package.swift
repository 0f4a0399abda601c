// swift-tools-version: 6.1
import PackageDescription

/// The measuring programs, in a package of their own: whoever builds wasmd need not build them.
///
///     swift run -c release --package-path Benchmarks measure-instances
let package = Package(
    name: "wasmd-benchmarks",
    dependencies: [.package(name: "wasmd", path: "..")],
    targets: [
        // Microseconds of instances: made, forked, restored, saved.
        .executableTarget(
            name: "measure-instances",
            dependencies: [.product(name: "WasmdRooms", package: "wasmd")], path: "instances"),
        // How fast limits hold, and what they cost.
        .executableTarget(
            name: "measure-limits", dependencies: [.product(name: "WasmdRooms", package: "wasmd")],
            path: "limits"),
        // What guests that wait on sockets take.
        .executableTarget(
            name: "measure-waiting", dependencies: [.product(name: "WasmdRooms", package: "wasmd")],
            path: "waiting"),
        // What guests take that wait on sockets of the event loop.
        .executableTarget(
            name: "measure-guests",
            dependencies: [
                .product(name: "WasmdRooms", package: "wasmd"),
                .product(name: "WasmdHostRooms", package: "wasmd"),
            ], path: "guests", exclude: ["guest.c", "guest.wasm", "build", "measure-copying"]),
        // What a broker carries.
        .executableTarget(
            name: "measure-broker",
            dependencies: [
                .product(name: "WasmdRooms", package: "wasmd"),
                .product(name: "WasmdHostRooms", package: "wasmd"),
            ], path: "broker"),
        // What the store writes, reads and takes.
        .executableTarget(
            name: "measure-storage",
            dependencies: [.product(name: "WasmdHostRooms", package: "wasmd")], path: "storage",
            exclude: ["measure", "peer.py"]),
        // What calls between Swift and guests cost.
        .executableTarget(
            name: "measure-embedding", dependencies: [.product(name: "Wasmd", package: "wasmd")],
            path: "embedding"),
    ],
    swiftLanguageModes: [.v6]
)
