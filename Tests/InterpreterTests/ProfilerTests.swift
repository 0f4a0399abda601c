import Testing
import WasmInterpreter
import WasmText

/// Samples of guests that spend their time where it is known.
@Suite struct ProfilerTests {
    private func profile(
        _ house: TextHouse, _ fields: String, _ calls: (Instance) throws -> Void
    ) throws -> Profile {
        let profiler = Profiler(interval: .microseconds(50))
        house.store.profiler = profiler
        try calls(house.instantiate(fields))
        return profiler.profile()
    }

    /// Names of a stack, innermost first.
    private func names(_ profile: Profile, _ sample: Profile.Sample) -> [String] {
        var names: [String] = []
        var next = sample.stack < 0 ? nil : Int(sample.stack)
        while let stack = next {
            names.append(profile.frames[profile.stacks[stack].frame].function)
            next = profile.stacks[stack].caller
        }
        return names
    }

    private let spinning = """
        (func $spin (param i32) (result i32)
          (loop $next (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
          (local.get 0))
        (func $long (result i32) (call $spin (i32.const 300000)))
        (func $short (result i32) (call $spin (i32.const 30000)))
        (func $main (export "main") (result i32) (i32.add (call $long) (call $short)))
        """

    @Test func stacksAndTimes() throws {
        let house = TextHouse()
        let profile = try profile(house, spinning) { _ = try $0.number("main") }
        #expect(profile.samples.count > 20)
        var counts: [String: Int] = [:]
        for sample in profile.samples {
            let names = names(profile, sample)
            #expect(names.first == "spin" || names.first == "long" || names.first == "short")
            #expect(names.last == "main")
            if names.count == 3 { counts[names[1], default: 0] += 1 }
        }
        // Ten times as much work. Samples are counted, not weighed: what else the machine does makes
        // single ones heavy.
        #expect(try #require(counts["long"]) > 3 * (counts["short"] ?? 0))
        let total = profile.samples.reduce(0) { $0 + $1.weight }
        #expect(total <= profile.duration)
        #expect(zip(profile.samples, profile.samples.dropFirst()).allSatisfy { $0.time <= $1.time })
    }

    @Test func timeBetweenCallsIsNobodys() throws {
        let house = TextHouse()
        var waited: UInt64 = 0
        let profile = try profile(house, spinning) { instance in
            for _ in 0..<3 {
                _ = try instance.number("main")
                let start = ContinuousClock.now
                while .now - start < .milliseconds(30) {}
                waited += 30_000_000
            }
        }
        let total = profile.samples.reduce(0) { $0 + $1.weight }
        #expect(total + waited <= profile.duration)
    }

    @Test func timeOfAGuestThatWaitsIsNobodys() throws {
        let house = ExecutionTests.house()
        let milliseconds: UInt64 = 30
        var waited: UInt64 = 0
        let profile = try profile(
            house,
            """
            \(ExecutionTests.ask)
            (func (export "main") (param $n i32) (result i32) (local $i i32)
              (loop
                (local.set $i (i32.const 30000))
                (loop (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
                (drop (call $ask (local.get $n)))
                (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
              (local.get $n))
            """
        ) { instance in
            let execution = try #require(instance.function("main")).start([.i32(3)])
            var outcome = try execution.resume()
            while case .suspended = outcome {
                let start = ContinuousClock.now
                while .now - start < .milliseconds(milliseconds) {}
                waited += milliseconds * 1_000_000
                outcome = try execution.resume(returning: [.i32(0)])
            }
        }
        let total = profile.samples.reduce(0) { $0 + $1.weight }
        #expect(waited == 3 * milliseconds * 1_000_000)
        #expect(total > 0)
        #expect(total + waited <= profile.duration)
    }

    @Test func functionsOfTheHostAreFrames() throws {
        let house = TextHouse()
        house.linker.define("env", "wait") { (_: borrowing Caller) in
            let start = ContinuousClock.now
            while .now - start < .milliseconds(2) {}
        }
        let fields = """
            (import "env" "wait" (func $wait))
            (func $main (export "main") (call $wait) (call $wait))
            """
        let profile = try profile(house, fields) { try $0.call("main") }
        let stacks = profile.samples.map { names(profile, $0) }
        #expect(stacks.filter { $0 == ["env.wait", "main"] }.count == 2)
        #expect(profile.frames.contains { $0.kind == .host && $0.function == "env.wait" })
    }

    @Test func aTrapLeavesTheSamples() throws {
        let house = TextHouse()
        let profile = try profile(
            house,
            """
            (func (export "main") (local i32)
              (loop $next
                (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get 0) (i32.const 300000))))
              (unreachable))
            """
        ) { instance in #expect(throws: Trap.self) { try instance.call("main") } }
        #expect(profile.samples.contains { names(profile, $0) == ["main"] })
    }

    @Test func deepStacksAreCutOff() throws {
        let house = TextHouse()
        let profile = try profile(
            house,
            """
            (func $down (export "down") (param i32) (result i32)
              (if (result i32) (local.get 0)
                (then (call $down (i32.sub (local.get 0) (i32.const 1))))
                (else (loop $next (br_if $next (local.tee 0
                  (i32.and (i32.add (local.get 0) (i32.const 1)) (i32.const 0xfffff)))))
                  (i32.const 0))))
            """
        ) { _ = try $0.number("down", 20_000) }
        let depths = profile.samples.map { names(profile, $0).count }
        #expect(depths.max() == 1024)
    }

    @Test func fuelIsExactWithAProfiler() throws {
        let plain = TextHouse()
        plain.store.fuel = 1_000_000
        _ = try plain.instantiate(spinning).number("main")
        let house = TextHouse()
        house.store.fuel = 1_000_000
        _ = try profile(house, spinning) { _ = try $0.number("main") }
        #expect(house.store.fuel == plain.store.fuel)
    }

    @Test func flameGraphs() throws {
        let house = TextHouse()
        let text = try profile(house, spinning) { _ = try $0.number("main") }
            .flameGraph(title: "a & b")
        #expect(text.hasPrefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "))
        #expect(text.hasSuffix("</svg>\n"))
        #expect(text.contains(">a &amp; b: "))
        #expect(text.contains("<title>main, "))
        #expect(text.contains(">spin</text>"))
        // Each hue of a box has a rule for a dark ground.
        let hues = Set(
            text.split(separator: " ").filter { $0.hasPrefix("class=\"h") }
                .map { $0.dropFirst(7).dropLast() })
        #expect(!hues.isEmpty)
        for hue in hues {
            #expect(text.split(separator: "\n").contains { $0.hasPrefix(".\(hue) { fill: hsl(") })
        }
        let opened = text.split(separator: "<").count { $0.hasPrefix("g>") || $0.hasPrefix("g ") }
        #expect(opened == text.split(separator: "<").count { $0.hasPrefix("/g>") })
    }

    @Test func firefoxProfiles() throws {
        let house = TextHouse()
        let profile = try profile(house, spinning) { _ = try $0.number("main") }
        let text = profile.firefoxProfile(product: "a \"b\"", moduleFile: "/x/y.wasm")
        #expect(text.hasPrefix(#"{"meta":{"version":24,"preprocessedProfileVersion":61,"#))
        #expect(text.contains(#""product":"a \"b\"","#))
        #expect(text.contains(#""weightType":"tracing-ms""#))
        #expect(text.contains(#""samples":{"length":\#(profile.samples.count),"#))
        #expect(text.contains(#""stackTable":{"length":\#(profile.stacks.count),"#))
        #expect(text.contains(#""libs":[{"arch":"wasm32","name":"y.wasm","path":"/x/y.wasm","#))
        #expect(text.hasSuffix("]}}"))
    }

    @Test func aProfilerThatSawNothing() {
        let profile = Profiler().profile()
        #expect(profile.samples.isEmpty && profile.frames.isEmpty && profile.stacks.isEmpty)
        let graph = profile.flameGraph(title: "none")
        #expect(graph.hasSuffix("</svg>\n") && graph.contains("none: 0.00 ms: nothing ran<"))
        #expect(profile.firefoxProfile(product: "", moduleFile: "").hasPrefix("{"))
    }
}
