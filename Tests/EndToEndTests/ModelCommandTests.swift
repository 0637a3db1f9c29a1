import Foundation
import Testing

/// `qsmflow models`, from a file to a file.
@Suite struct ModelCommandTests {
    private static let card = #"{"architecture":"U-Net","inputs":["T1w"],"classes":["putamen"],"metrics":{"dice":0.9}}"#

    /// A safetensors file made by hand: one tensor of two numbers, and a card if any.
    private static func safetensors(_ values: [Float], card: String? = card) throws -> Data {
        var header: [String: Any] = [
            "weight": ["dtype": "F32", "shape": [values.count], "data_offsets": [0, 4 * values.count]]
        ]
        if let card { header["__metadata__"] = ["qsmflow.card": card] }
        let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
        var data = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
        data.append(json)
        for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
        return data
    }

    /// A header whose shape has more numbers than can be counted.
    private static var huge: Data {
        let json = Data(#"{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#.utf8)
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json
    }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    @Test func aModelGoesInAndComesOutTheSame() async throws {
        let program = try Program()
        let (one, two, out) = (
            program.folder + "/one.safetensors", program.folder + "/two.safetensors",
            program.folder + "/out.safetensors"
        )
        try Self.safetensors([1, 2]).write(to: URL(fileURLWithPath: one))
        try Self.safetensors([3, 4, 5]).write(to: URL(fileURLWithPath: two))
        // No coordinator is at work: completion has nothing to say, and makes nothing.
        let silent = try await program.run("models", "names")
        #expect(silent.code == 0 && silent.output.isEmpty && !FileManager.default.fileExists(atPath: program.state))

        _ = try program.start("coordinator", "--listen", "127.0.0.1:0", log: "coordinator")
        _ = try await program.eventually(within: 120) {
            FileManager.default.fileExists(atPath: program.state + "/coordinator.json") ? true : nil
        }
        let imported = try await program.run("models", "import", one, "--name", "deepmir")
        #expect(imported.code == 0, "\(imported.errors)")
        let digest = imported.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(digest.count == 64)

        let listed = try await program.run("models")
        let lines = listed.output.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].hasPrefix("digest"), "\(listed.output)")
        for part in [String(digest.prefix(12)), "deepmir", "U-Net", "T1w", "putamen", "imported"] {
            #expect(lines.last?.contains(part) == true, "\(part)")
        }
        let json = try await program.run("models", "list", "--json", "--name", "deep")
        let models = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
        #expect(models.map { $0["digest"] as? String } == [digest])
        let few = try await program.run("models", "inspect", String(digest.prefix(5)))
        #expect(few.code == 1 && few.errors.contains("too few digits: give at least 6"), "\(few.errors)")
        let likeDigest = try await program.run("models", "name", "deepmir", "facade")
        #expect(
            likeDigest.code == 65 && likeDigest.errors.contains("6 to 64 hexadecimal digits"), "\(likeDigest.errors)")
        #expect(try await program.run("models", "names").output == "deepmir\n")

        let inspected = try await program.run("models", "inspect", String(digest.prefix(6)))
        #expect(inspected.output.contains("model \(digest)") && inspected.output.contains("\"dice\""))
        let exported = try await program.run("models", "export", "deepmir", out)
        #expect(exported.code == 0, "\(exported.errors)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: out)) == Data(contentsOf: URL(fileURLWithPath: one)))

        // The name is taken: by which, and how it moves.
        let taken = try await program.run("models", "import", two, "--name", "deepmir")
        #expect(taken.code == 1 && taken.errors.contains("belongs to model \(digest.prefix(12))"), "\(taken.errors)")
        #expect(taken.errors.contains("--move"))
        let moved = try await program.run("models", "import", two, "--name", "deepmir", "--move", "--json")
        #expect(moved.code == 0, "\(moved.errors)")
        let newer = try object(moved.output)
        #expect(newer["name"] as? String == "deepmir" && newer["digest"] as? String != digest)
        #expect(newer["nameTakenFrom"] as? String == digest)
        // The newer one would lose its name.
        let kept = try await program.run("models", "name", "deepmir", "rims")
        #expect(kept.code == 1 && kept.errors.contains("has the name deepmir"), "\(kept.errors)")
        let back = try await program.run("models", "name", digest, "deepmir", "--move")
        #expect(back.code == 0 && back.output.contains("deepmir is model \(digest)"), "\(back.errors)")
        let newDigest = try #require(newer["digest"] as? String)
        #expect(
            back.errors.contains(
                "moved from model \(newDigest.prefix(12)), which has none now, to model \(digest.prefix(12))"))
        #expect(try await program.run("models", "name", newDigest, "deepmir", "--move").code == 0)
        #expect(try await program.run("models", "name", digest, "old").code == 0)

        let removed = try await program.run("models", "remove", "old")
        #expect(removed.code == 0 && removed.output.contains("is removed"), "\(removed.errors)")
        let gone = try await program.run("models", "inspect", "old")
        #expect(gone.code == 1 && gone.errors.contains("There is no model “old”"), "\(gone.errors)")
        #expect(gone.errors.split(separator: "\n").count == 1)
        #expect(try await program.run("models", "list").output.contains(digest.prefix(12)) == false)
    }

    /// A worker brings the model to a task by its digest, whatever its name stands for by then.
    @Test func aRunReadsTheModelThatItsWorkflowNames() async throws {
        let program = try Program()
        try await program.phantom(subjects: 1)
        let (weights, workflow, out) = (
            program.folder + "/net.safetensors", program.folder + "/apply.yaml", program.folder + "/tables"
        )
        let bytes = try Self.safetensors([1, 2])
        try bytes.write(to: URL(fileURLWithPath: weights))
        try Data(
            """
            name: apply
            parameters: {net: other}
            steps:
              apply:
                kind: command
                scope: subject
                inputs:
                  t1w: {bids: {suffix: T1w, dataset: raw}}
                  weights: {model: "${net}"}
                parameters: {program: copy, arguments: ["{inputs.weights}", "{outputs.seen}"], outputs: {seen: seen.safetensors}}
            """.utf8
        ).write(to: URL(fileURLWithPath: workflow))
        let imported = try await program.run("models", "import", weights, "--name", "deepmir")
        let digest = imported.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(imported.code == 0, "\(imported.errors)")
        let arguments = [workflow, program.dataset, "--set", "net=deepmir"]
        let plan = try await program.run("plan", arguments[0], arguments[1], arguments[2], arguments[3])
        #expect(plan.output.contains("model deepmir of step apply: \(digest)"), "\(plan.output)\(plan.errors)")
        let unknown = try await program.run("plan", workflow, program.dataset)
        #expect(unknown.code == 65 && unknown.errors.contains("apply.yaml:9:24: "), "\(unknown.errors)")
        let ran = try await program.run(
            "run", arguments[0], arguments[1], arguments[2], arguments[3], "--cores", "1", "--memory-mib", "3000",
            "--allow-command", "copy=/bin/cp")
        #expect(ran.code == 0, "\(ran.errors)")
        let outputs = try await program.run("results", "1", "outputs", "--format", "csv")
        // What the task saw are the bytes of the model.
        #expect(outputs.output.contains("seen.safetensors,\(digest),\(bytes.count)"), "\(outputs.output)")
        #expect(outputs.output.contains("application/vnd.safetensors"))
        #expect(try await program.run("export", "1", out, "--format", "csv").code == 0)
        let models = try String(contentsOfFile: out + "/models.csv", encoding: .utf8)
        #expect(models.contains("\(digest),deepmir,U-Net"), "\(models)")
    }

    /// A network of another program, made with its own library: a strided convolution, a transposed one and a sigmoid, on
    /// volumes of one channel and any even size.
    private static let onnx = Data(
        base64Encoded: """
            CAgSBHRlc3QaATE6vAMKVwoFaW1hZ2UKAWQSAWEiBENvbnYqFwoMa2VybmVsX3NoYXBlQANAA0ADoAEHKhUKBHBhZHNAAUAB\
            QAFAAUABQAGgAQcqEgoHc3RyaWRlc0ACQAJAAqABBwpFCgFhCgF1EgFiIg1Db252VHJhbnNwb3NlKhcKDGtlcm5lbF9zaGFw\
            ZUACQAJAAqABByoSCgdzdHJpZGVzQAJAAkACoAEHChQKAWISBmxlc2lvbiIHU2lnbW9pZBIBZyp9CAEIAQgDCAMIAxABQgFk\
            SmwAALC/AADAPgAAQL8AAIA/AAAAvgAAoL8AAAA/AAAgvwAAkD8AAAAAAACQvwAAID8AAAC/AACgPwAAAD4AAIC/AABAPwAA\
            wL4AALA/AACAPgAAYL8AAGA/AACAvgAAsL8AAMA+AABAvwAAgD8qMQgBCAEIAggCCAIQAUIBdUogAACAvwAAQD8AAMC+AACw\
            PwAAgD4AAGC/AABgPwAAgL5aJgoFaW1hZ2USHQobCAESFwoCCAEKAggBCgMSAWQKAxIBaAoDEgF3YicKBmxlc2lvbhIdChsI\
            ARIXCgIIAQoCCAEKAxIBZAoDEgFoCgMSAXdCBAoAEBE=
            """)!

    private func describe(_ members: [String: Any], _ path: String) throws {
        var all: [String: Any] = [
            "name": "lesions", "classes": ["lesion"], "channels": [["modality": "Chimap"]], "window": [16, 16, 16],
        ]
        all.merge(members) { _, new in new }
        try JSONSerialization.data(withJSONObject: all).write(to: URL(fileURLWithPath: path))
    }

    private func replacing(_ old: String, _ new: String, in data: Data) throws -> Data {
        var data = data
        let range = try #require(data.range(of: Data(old.utf8)), "\(old)")
        data.replaceSubrange(range, with: Data(new.utf8))
        return data
    }

    @Test func aNetworkOfAnotherProgramIsImportedWithItsDescription() async throws {
        let program = try Program()
        let (net, told, out, broken) = (
            program.folder + "/net.onnx", program.folder + "/d.json", program.folder + "/out.safetensors",
            program.folder + "/broken.safetensors"
        )
        try Self.onnx.write(to: URL(fileURLWithPath: net))
        try describe([:], told)
        let imported = try await program.run("models", "import", net, "--description", told, "--name", "lesions")
        #expect(imported.code == 0, "\(imported.errors)")
        let digest = imported.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let detail = try object(try await program.run("models", "inspect", "lesions", "--json").output)
        let card = try #require(detail["card"] as? [String: Any])
        // It ends in a sigmoid: a voxel is lesion or is not.
        #expect(card["output"] as? String == "sigmoid" && card["classes"] as? [String] == ["lesion"])

        #expect(try await program.run("models", "export", "lesions", out).code == 0)
        let again = try await program.run("models", "export", "lesions", out)
        #expect(again.code == 1 && again.errors.contains("is there already; give another name, or --replace"))
        try Data("old".utf8).write(to: URL(fileURLWithPath: out))
        #expect(try await program.run("models", "export", "lesions", out, "--replace").code == 0)
        #expect(try await program.run("models", "import", out).output.contains(digest))

        // Ours: card, tensors and window belong together.
        let whole = try Data(contentsOf: URL(fileURLWithPath: out))
        for (old, new, words) in [
            ("[1,1,3,3,3]", "[1,1,3,9,1]", "a.weight ([1, 1, 3, 9, 1] instead of [1, 1, 3, 3, 3])"),
            ("[1,1,3,3,3]", "[1,1,3,3,4]", "takes 144 bytes"),
            (#"\"depth\":16"#, #"\"depth\":15"#, "a window of 15×16×16 voxels does not fit the network"),
        ] {
            try replacing(old, new, in: whole).write(to: URL(fileURLWithPath: broken))
            let refused = try await program.run("models", "import", broken)
            #expect(refused.code == 65, "\(new)")
            #expect(refused.errors.contains(broken) && refused.errors.contains(words), "\(refused.errors)")
        }
    }

    @Test func descriptionsThatDoNotFitAreRefusedInOneSentence() async throws {
        let program = try Program()
        let (net, told) = (program.folder + "/net.onnx", program.folder + "/d.json")
        try Self.onnx.write(to: URL(fileURLWithPath: net))
        let cases: [([String: Any], String)] = [
            (
                ["window": [95, 95, 95]],
                "a window of 95×95×95 voxels does not fit the network; each edge must be a multiple"
            ),
            (["spacing": [1, 1, 1]], "d.json: has the unknown key spacing; did you mean spacing_mm?"),
            (["channels": [["modality": "Chimap", "normalize": "none"]]], "did you mean normalise?"),
            (["classes": ["background"]], "belongs to no class"), (["output": "softmax"], "state output sigmoid"),
            (["classes": ["a", "b"]], "names 2 classes"),
        ]
        for (members, words) in cases {
            try describe(members, told)
            let refused = try await program.run("models", "import", net, "--description", told)
            #expect(refused.code == 65 && refused.errors.contains(words), "\(refused.errors)")
            #expect(refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
        }
        // A card of another program is its own, its tensors are held against their shapes.
        let foreign = program.folder + "/foreign.safetensors"
        try replacing(#""shape":[2]"#, #""shape":[3]"#, in: try Self.safetensors([1, 2]))
            .write(to: URL(fileURLWithPath: foreign))
        let refused = try await program.run("models", "import", foreign)
        #expect(refused.code == 65 && refused.errors.contains("takes 12 bytes and is given 8"), "\(refused.errors)")
        #expect(!FileManager.default.fileExists(atPath: program.state))
    }

    @Test func anONNXFileIsInspectedForItsDescription() async throws {
        let program = try Program()
        let net = program.folder + "/net.onnx"
        try Self.onnx.write(to: URL(fileURLWithPath: net))
        let shown = try await program.run("models", "inspect", net)
        #expect(shown.code == 0, "\(shown.errors)")
        for line in [
            "\(net): ONNX by test 1, operator set 17, 3 layers, 35 numbers", "takes  image, 1 channel",
            "gives  lesion, 1 channel",
        ] { #expect(shown.output.split(separator: "\n").map(String.init).contains(line), "\(shown.output)") }
        let json = try object(try await program.run("models", "inspect", net, "--json").output)
        #expect(json["parameters"] as? Int == 35)
        try Data("onnx".utf8).write(to: URL(fileURLWithPath: net))
        let refused = try await program.run("models", "inspect", net)
        #expect(refused.code == 65 && refused.errors.contains("is not an ONNX model"), "\(refused.errors)")
        let completion = try await program.run("--generate-completion-script", "zsh")
        #expect(completion.output.contains("*.safetensors *.onnx"))
    }

    @Test func aModelFileIsInspectedWithoutACoordinator() async throws {
        let program = try Program()
        let file = program.folder + "/net.safetensors"
        try Self.safetensors([1, 2]).write(to: URL(fileURLWithPath: file))
        let shown = try await program.run("models", "inspect", file)
        #expect(shown.code == 0 && shown.output.contains("1 tensor, 2 numbers"), "\(shown.errors)")
        #expect(shown.output.contains("architecture  U-Net"), "\(shown.output)")
        let json = try object(try await program.run("models", "inspect", file, "--json").output)
        #expect((json["tensors"] as? [[String: Any]])?.first?["name"] as? String == "weight")
        #expect((json["card"] as? [String: Any])?["architecture"] as? String == "U-Net")
        #expect(!FileManager.default.fileExists(atPath: program.state))
    }

    @Test func whatIsNoModelFileIsSaidInOneSentence() async throws {
        let program = try Program()
        let whole = try Self.safetensors([1, 2])
        let cases: [(String, Data?, String)] = [
            ("text.safetensors", Data("this is not a model, is it?".utf8), "is no safetensors file"),
            ("empty.safetensors", Data(), "is no safetensors file"),
            ("head.safetensors", whole.prefix(40), "is cut short: its header takes"),
            ("tail.safetensors", whole.dropLast(3), "is cut short: its tensors take 8 bytes and 5 are there"),
            ("bare.safetensors", try Self.safetensors([1], card: nil), "has no model card"),
            ("huge.safetensors", Self.huge, "tensor w has the shape [4611686018427387904, 4]"),
            ("odd.safetensors", try Self.safetensors([1], card: "[1]"), "has a damaged model card"),
            ("net.onnx", Data("onnx".utf8), "is an ONNX file"),
            ("absent.safetensors", nil, "cannot be read: No such file or directory; check its path"),
            ("image.nii.gz", Data("x".utf8), "is an image; name a model file"),
            ("table.tsv", Data("x".utf8), "is a table; name a model file"),
            ("net.pth", Data("x".utf8), "is a file of Python's; export the network from there as ONNX"),
        ]
        for (name, data, words) in cases {
            let path = program.folder + "/" + name
            if let data { try data.write(to: URL(fileURLWithPath: path)) }
            let outcome = try await program.run("models", "import", path)
            #expect(outcome.code == 65, "\(name): \(outcome.errors)")
            #expect(outcome.errors.contains(words) && outcome.errors.contains(name), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }
        let folder = try await program.run("models", "import", program.folder)
        #expect(folder.code == 65 && folder.errors.contains("\(program.folder) is a folder; name a model file"))
        #expect(!FileManager.default.fileExists(atPath: program.state))
    }
}
