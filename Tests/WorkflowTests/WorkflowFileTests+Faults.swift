import BIDS
import Foundation
import Testing
import Workflow

/// What is wrong with a file: the place, the words, and what would be valid.
extension WorkflowFileTests {
    /// Each replacement in `twoSteps` with the place and words of the error it must give.
    @Test(arguments: [
        ("name: two", "title: two", 1, 1, "no key “title”"),
        ("kind: image.check", "kind: image.chek", 4, 11, "no task kind “image.chek”; did you mean image.check?"),
        ("kind: brain.mask", "kind: nonsense", 9, 11, "valid: image.check"),
        ("kind: brain.mask", "Kind: brain.mask", 9, 5, "no key “Kind”; did you mean kind?"),
        (
            "      check: {step: check.report}", "      chek: {step: check.report}", 12, 7,
            "no input “chek”; did you mean check?"
        ),
        ("check.report", "chck.report", 12, 21, "no step “chck”; did you mean check?"),
        ("check.report", "check.raport", 12, 21, "no output “raport”; did you mean report?"),
        ("      t1w: {bids: {suffix: T1w}}\n      check", "      check", 10, 5, "lacks the input t1w"),
        ("dilation_mm: 2", "dilation: 2", 13, 18, "no parameter “dilation”; did you mean dilation_mm?"),
        ("dilation_mm: 2", "dilation_mm: 99", 13, 18, "between 0.0 and 20.0"),
        ("dilation_mm: 2", "dilation_mm: wide", 13, 18, "must be a number"),
        ("dilation_mm: 2", "dilation_mm: \"${w\"", 13, 31, "opens ${ without"),
        ("suffix: T1w}}\n      check", "sufix: T1w}}\n      check", 11, 20, "did you mean suffix?"),
        ("suffix: T1w}}\n      check", "acq: x}}\n      check", 11, 19, "has no suffix"),
        ("suffix: T1w}}\n      check", "suffix: T1w, sub: 1}}\n      check", 11, 33, "remove sub"),
        ("suffix: T1w}}\n      check", "suffix: T1w, acquisition: 1}}\n      check", 11, 33, "did you mean acq?"),
        ("suffix: T1w}}\n      check", "suffix: T1w, extension: nii}}\n      check", 11, 44, "write .nii"),
        ("{step: check.report}", "{stp: check.report}", 12, 15, "did you mean step?"),
        ("{step: check.report}", "{step: check.report, file: x}", 12, 35, "more than one source"),
        ("{step: check.report}", "check.report", 12, 14, "write one of {bids:"),
        ("{step: check.report}", "{}", 12, 7, "has no source"),
        ("{step: check.report}", "{atlas: T1}", 12, 22, "did you mean T1w?"),
        ("{step: check.report}", "{atlas: T1w}", 12, 7, "add each: atlas"),
        ("{step: check.report}", "{covariates: people}", 12, 27, "only table is participants"),
        ("{step: check.report}", "{step: check.report, optional: maybe}", 12, 45, "write true or false"),
        (
            "t1w: {bids: {suffix: T1w}}\n      check", "t1w: {step: check.report}\n      check", 11, 19,
            "takes an image volume"
        ),
        ("kind: brain.mask", "kind: brain.mask\n    scope: cohort", 10, 12, "cannot have scope cohort; valid: session"),
        ("kind: brain.mask", "kind: brain.mask\n    scope: sessions", 10, 12, "did you mean session?"),
        ("kind: brain.mask", "kind: brain.mask\n    each: label", 10, 11, "is atlas"),
        ("kind: brain.mask", "kind: brain.mask\n    timeout: 30", 10, 14, "with its unit"),
        ("kind: brain.mask", "kind: brain.mask\n    retries: many", 10, 14, "0 to 100"),
        ("kind: brain.mask", "kind: brain.mask\n    missing: some", 10, 14, "at_least"),
        ("kind: brain.mask", "kind: brain.mask\n    resources: {memory: 512}", 10, 25, "size with its unit"),
        ("kind: brain.mask", "kind: brain.mask\n    resources: {cores: 0}", 10, 24, "1 to 1024"),
        ("kind: brain.mask", "timeout: 1m", 8, 3, "has no kind"),
        ("  brain:\n", "  brain.x:\n", 8, 3, "cannot name a step"),
        ("  brain:\n", "  check:\n", 8, 3, "check is given twice"),
        ("steps:\n", "step:\n", 2, 1, "did you mean steps?"),
    ])
    func namesThePlaceAndWhatWouldBeValid(
        old: String, new: String, line: Int, column: Int, words: String
    ) throws {
        #expect(Self.twoSteps.contains(old))
        let range = try #require(Self.twoSteps.range(of: old, options: .backwards))
        let parsed = parse(Self.twoSteps.replacingCharacters(in: range, with: new))
        #expect(parsed.definition == nil)
        let found = parsed.errors.contains { $0.line == line && $0.column == column && $0.sentence.contains(words) }
        #expect(found, "\(parsed.problems.map(\.description).joined(separator: "\n"))")
        #expect(parsed.problems.allSatisfy { $0.description.hasPrefix("/data/w/file.yaml:") })
    }

    @Test func reportsEverythingAtOnceInTheOrderOfTheFile() {
        let parsed = parse(
            """
            name: bad name
            steps:
              check:
                kind: image.check
                inputs:
                  t1: {bids: {suffix: T1w}}
                  chimap: {bids: {suffix: Chimap}}
                parameters: {units: ppt, unknown: 1}
                timeout: soon
              brain:
                kind: brain.maks
            """)
        #expect(parsed.errors.map(\.line) == [1, 5, 6, 8, 8, 9, 11])
        #expect(parsed.definition == nil)
    }

    @Test(arguments: [
        ("", "empty"), ("# nothing\n", "empty"), ("- a\n", "a list where a mapping"),
        ("name: x\nsteps: {}\n", "add a step"),
        ("name: x\n", "has no steps"), ("name: [x\nsteps: {}", "not YAML"), ("name: x\n\tsteps: {}", "not tabs"),
        ("name: x\nsteps: {a: {kind: image.check, <<: *b}}", "not YAML"),
        ("name: x\nsteps: 3\n", "“3” where a mapping"),
        (
            "a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                + "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                + "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "more than 100000 values"
        ),
    ])
    func refusesWhatIsNoWorkflow(text: String, words: String) {
        let parsed = parse(text)
        #expect(parsed.definition == nil)
        #expect(parsed.errors.contains { $0.sentence.contains(words) }, "\(parsed.problems)")
    }

    @Test func aFileThatCannotBeReadIsAProblem() {
        let (_, parsed) = WorkflowFile.read("/nonexistent/w.yaml")
        #expect(parsed.definition == nil)
        #expect(parsed.errors.map(\.file) == ["/nonexistent/w.yaml"])
    }

    @Test func namesACycle() {
        let step = { (name: String, from: String) in
            """
              \(name):
                kind: command
                scope: session
                inputs: {x: {step: \(from)}}
                parameters: {program: p, outputs: {y: y.txt}}

            """
        }
        let parsed = parse("name: x\nsteps:\n" + step("a", "c") + step("b", "a") + step("c", "b") + step("d", "c"))
        #expect(parsed.errors.count == 1)
        #expect(parsed.errors.first?.sentence.contains("circle: a → c → b → a;") == true, "\(parsed.errors)")
        #expect(parsed.errors.first?.line == 3)
        let own = parse("name: x\nsteps:\n" + step("a", "a"))
        #expect(own.errors.first?.sentence.contains("circle: a → a;") == true)
    }

    @Test func scopesAndAtlasesMustFitThePorts() {
        let perAtlas = """
              reg:
                kind: registration.atlas
                each: atlas
                inputs: {t1w: {bids: {suffix: T1w}}, atlas_t1w: {atlas: T1w}}

            """
        let one = parse(
            "name: x\natlases: {a: a}\nsteps:\n" + perAtlas + """
                  other:
                    kind: registration.atlas
                    inputs: {t1w: {file: a}, atlas_t1w: {file: b}, transform: {step: reg.affine}}
                """)
        #expect(one.errors.first?.sentence.contains("runs once per atlas") == true, "\(one.problems)")

        let scopes = parse(
            """
            name: x
            steps:
              check:
                kind: image.check
                inputs: {t1w: {bids: {suffix: T1w}}, chimap: {bids: {suffix: Chimap}}}
              model:
                kind: cohort.linear-model
                inputs: {tables: {bids: {suffix: roi, extension: .tsv}}, covariates: {step: check}}
            """)
        #expect(scopes.errors.first?.sentence.contains("runs once per session") == true, "\(scopes.problems)")
        #expect(scopes.errors.count == 1)
    }

    @Test func aCommandArgumentIsTakenApart() throws {
        #expect(
            try CommandArgument("{{a}--in={inputs.t1}{outputs.x y}{session}}").parts == [
                .text("{a}--in="), .place(.input(port: "t1")), .place(.output(port: "x y")), .place(.session),
                .text("}"),
            ])
        #expect(try CommandArgument("").parts == [])
        #expect(try CommandArgument("{}{inputs}").places == [.unknown(""), .unknown("inputs")])
        #expect(throws: CommandArgument.Unclosed.self) { try CommandArgument("a {{ {b") }
    }

    @Test func commandsAreCheckedToo() {
        let text = """
            name: x
            steps:
              run:
                kind: command
                scope: session
                inputs: {image: {bids: {suffix: T1w}}}
                parameters:
                  program: tool
                  arguments: ["{inputs.imag}", "{outputs.mask}", "{subjct}", "{{plain}", "-v {threads"]
                  environment: {THREADS: "{thread}", FOLDER: "/a"}
                  outputs: {maks: ../mask.nii.gz}
                  measurements: table
            """
        let sentences = parse(text).errors.map(\.sentence)
        #expect(sentences.contains { $0.contains("no input “imag”; did you mean image?") })
        #expect(sentences.contains { $0.contains("no output “mask”; did you mean maks?") })
        #expect(sentences.contains { $0.contains("{subjct} stands for nothing; did you mean subject?") })
        #expect(sentences.contains { $0.contains("file name without folders") })
        #expect(sentences.contains { $0.contains("measurements of step run names no output") })
        #expect(sentences.contains { $0.contains("“-v {threads” opens a brace that it does not close") })
        #expect(sentences.contains { $0.contains("{thread} stands for nothing; did you mean threads?") })
        #expect(sentences.count == 7, "\(sentences)")
        let bare = parse("name: x\nsteps:\n  run: {kind: command}\n").errors.map(\.sentence)
        #expect(bare.contains { $0.contains("has no scope") })
        #expect(bare.contains { $0.contains("names no program") })
    }

    @Test func warnsOfWhatHasNoEffect() {
        let parsed = parse(
            """
            name: x
            parameters: {unused: 1}
            atlases: {a: a}
            steps:
              check:
                kind: image.check
                inputs: {t1w: {bids: {suffix: T1w, colour: red}}, chimap: {bids: {suffix: Chimap}}}
                missing: any
            """)
        #expect(parsed.definition != nil)
        let sentences = parsed.warnings.map(\.sentence)
        #expect(sentences.contains { $0.contains("no step uses the parameter unused") })
        #expect(sentences.contains { $0.contains("no step uses an atlas") })
        #expect(sentences.contains { $0.contains("missing has no effect") })
        #expect(sentences.contains { $0.contains("“colour” is not an entity of the standard") })
        #expect(sentences.count == 4)
    }

    @Test func inputsOfCommandsTakeOneFileUnlessTheyGather() throws {
        let text = """
            name: x
            parameters: {where: recon, kinds: [Chimap, R2starmap]}
            steps:
              run:
                kind: command
                scope: subject
                inputs:
                  maps: {bids: {suffix: "${kinds}", dataset: "${where}"}, gather: true}
                  one: {bids: {suffix: T1w}}
                parameters: {program: p}
            """
        let inputs = try #require(parse(text).definition).steps[0].inputs
        #expect(inputs.map(\.isGathered) == [true, false])
        guard case .bids(let queries) = inputs[0].source else {
            Issue.record("no query")
            return
        }
        #expect(queries[0].query.suffixes == ["Chimap", "R2starmap"])
        #expect(queries[0].query.source == .derivative("recon"))
        let wrong = parse(Self.twoSteps.replacing("{step: check.report}", with: "{step: check.report, gather: true}"))
        #expect(wrong.errors.first?.sentence.contains("gather is for inputs of the kind command") == true)
    }

    /// Damaged files end in problems or a definition, never in a trap.
    @Test func damagedFilesNeverTrap() throws {
        let whole = try String(contentsOf: Self.workflows.appendingPathComponent("subcortical.yaml"), encoding: .utf8)
        let text = whole.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(separator: "\n")
        var state: UInt64 = 5
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let words = ["{", "}", "[", "]", ":", "- ", "*t1w", "&t1w ", "${", "~", "\"", "null", "<<: ", "0x", "é", "\n"]
        for _ in 0..<300 {
            var characters = Array(text)
            for _ in 0...random(3) {
                let place = random(characters.count)
                if random(2) == 0 {
                    characters.removeSubrange(place..<min(place + random(12), characters.count))
                } else {
                    characters.insert(contentsOf: words[random(words.count)], at: place)
                }
            }
            let parsed = parse(String(characters))
            #expect((parsed.definition == nil) == !parsed.errors.isEmpty)
        }
    }
}
