import BIDS
import Foundation
import Wire
import Workflow

/// Where each file of a run goes in a BIDS derivative dataset, and what its sidecar says. Pure: it moves no bytes.
///
///     sub-01[/ses-2]/anat/     masks and segmentations, with sidecars; transforms and region tables, which BIDS has no
///                              names for yet and .bidsignore therefore lists
///     sub-01[/ses-2]/figures/  pictures for quality control
///     sub-01[/ses-2]/reports/  JSON reports of steps
///     cohort/                  tables and reports over everybody
///     other/STEP/              outputs of steps of kinds that have no place here, such as `command`
struct DerivativeLayout: Sendable {
    /// One file to be.
    struct Entry: Sendable {
        /// Below the dataset's root.
        var path: String
        var file: MadeFile
        /// Beside it, with the extension .json; nil where the standard has none and we have nothing to say.
        var sidecar: JSONValue?
    }

    /// What `.bidsignore` lists: files that BIDS has no name for yet. Folders stand without a slash at the end, as the
    /// standard's validator asks for a pattern that matches the folder itself.
    static let ignored = [
        "*_xfm.*", "*_roistats.tsv", "*_roistats.json", "*_classes.tsv", "*_lesions.tsv", "*_metrics.tsv", "**/figures",
        "**/reports", "cohort", "models",
        "other", "tables", "logs",
    ]

    private let files: RunFiles
    private let places: SourcePlaces
    /// Steps of a kind, in the order of the graph: where there are several, their names tell their files apart.
    private let stepsByKind: [String: [String]]
    let atlases: [String]

    init(files: RunFiles, places: SourcePlaces, atlases: [String]) {
        self.files = files
        self.places = places
        self.atlases = atlases.sorted()
        var steps: [String: [String]] = [:]
        for file in files.made.sorted(by: { $0.ordinal < $1.ordinal })
        where steps[file.kind]?.contains(file.step) != true {
            steps[file.kind, default: []].append(file.step)
        }
        stepsByKind = steps
    }

    func entries() -> [Entry] {
        let images = Dictionary(
            files.made.compactMap { file in
                path(of: file).map { (ReadFile.Maker(ordinal: file.ordinal, port: file.port), $0) }
            }
        ) { first, _ in first }
        var entries: [Entry] = []
        for file in files.made {
            if let path = path(of: file) {
                entries.append(Entry(path: path, file: file, sidecar: sidecar(of: file, exported: images)))
            }
            // The names of a segmentation's regions lie beside each of its two images.
            if file.kind == "labels.native", file.port == "table" {
                entries.append(Entry(path: anatomical(file, ["space": "T1w"], "dseg", ".tsv"), file: file))
            }
        }
        // Two tasks may have made equal names only by a workflow that this layout did not foresee: none may be lost.
        var taken: Set<String> = []
        return entries.map { entry in
            var entry = entry
            if !taken.insert(entry.path).inserted {
                entry.path = "other/\(entry.file.step)/\(entry.file.ordinal)_\(entry.file.port)_\(entry.file.name)"
                taken.insert(entry.path)
            }
            return entry
        }
    }

    // MARK: Paths

    private func path(of file: MadeFile) -> String? {
        switch (file.kind, file.port) {
        case ("brain.mask", "mask"): anatomical(file, ["space": "T1w", "desc": "brain"], "mask", ".nii.gz")
        case ("image.slab", "chimap"): anatomical(file, ["space": "slab"], "Chimap", ".nii.gz")
        case ("image.slab", "t1w"): anatomical(file, ["space": "slab"], "T1w", ".nii.gz")
        case ("image.slab", "mask"): anatomical(file, ["space": "slab", "desc": "brain"], "mask", ".nii.gz")
        case ("image.slab", "labels"): anatomical(file, ["space": "slab"], "dseg", ".nii.gz")
        // Wanted on the T1-weighted image itself, they are the file of the next port.
        case ("labels.native", "labels") where isWantedOnT1w(file),
            ("labels.native", "table") where isWantedOnT1w(file):
            nil
        case ("labels.native", "labels"): anatomical(file, ["space": space(of: file)], "dseg", ".nii.gz")
        case ("labels.refine", "labels"): anatomical(file, ["space": "Chimap", "desc": "refined"], "dseg", ".nii.gz")
        case ("labels.native", "labels_t1w"): anatomical(file, ["space": "T1w"], "dseg", ".nii.gz")
        case ("labels.native", "table"): anatomical(file, ["space": space(of: file)], "dseg", ".tsv")
        case ("registration.within-subject", "transform"):
            transform(file, from: space(of: file), to: movingSuffix(of: file), "rigid", ".json")
        case ("image.resample", "image"):
            anatomical(
                file, ["space": imageSuffix(of: file, port: "target")], imageSuffix(of: file), ".nii.gz")
        case ("registration.atlas", "affine"): transform(file, from: "T1w", to: atlas(file), "affine", ".json")
        case ("registration.atlas", "warp"): transform(file, from: "T1w", to: atlas(file), "warp", ".nii.gz")
        case ("registration.atlas", "inverse_warp"): transform(file, from: atlas(file), to: "T1w", "warp", ".nii.gz")
        case ("network.segment", "labels"):
            anatomical(file, ["space": imageSuffix(of: file), "desc": "network"], "dseg", ".nii.gz")
        case ("network.segment", "table"):
            anatomical(file, ["space": imageSuffix(of: file), "desc": "network"], "dseg", ".tsv")
        case ("network.segment", "probabilities"):
            anatomical(file, ["space": imageSuffix(of: file), "desc": "network"], "probseg", ".nii.gz")
        case ("network.classify", "table"): anatomical(file, ["desc": "network"], "classes", ".tsv")
        case ("network.classify", "slices"): anatomical(file, ["desc": "network"], "slices", ".tsv")
        case ("classifier.apply", "table"): anatomical(file, ["desc": "classifier"], "classes", ".tsv")
        case ("classifier.train", _): "models/\(place(of: file))_\(file.port)\(suffix(of: file))"
        case ("network.train", "model"): "models/\(place(of: file)).safetensors"
        case ("network.train", _): "models/\(place(of: file))_\(file.port)\(suffix(of: file))"
        case ("roi.statistics", "slices"):
            anatomical(file, ["space": "Chimap", "desc": "slices"], "roistats", ".tsv")
        case ("roi.statistics", "table"): anatomical(file, ["space": "Chimap", "desc": "regions"], "roistats", ".tsv")
        case ("radiomics.extract", "table"):
            anatomical(file, ["space": imageSuffix(of: file), "desc": "radiomics"], "features", ".tsv")
        case ("lesions.components", "labels"): anatomical(file, ["desc": "lesions"], "dseg", ".nii.gz")
        case ("lesions.components", "table"): anatomical(file, ["desc": "lesions"], "lesions", ".tsv")
        case ("lesions.candidates", "labels"): anatomical(file, ["desc": "candidates"], "dseg", ".nii.gz")
        case ("lesions.candidates", "table"): anatomical(file, ["desc": "candidates"], "lesions", ".tsv")
        case ("lesions.match", "targets"): anatomical(file, ["desc": "matched"], "lesions", ".tsv")
        case ("lesions.select", "labels"): anatomical(file, ["desc": "selected"], "dseg", ".nii.gz")
        case ("lesions.select", "table"): anatomical(file, ["desc": "selected"], "dseg", ".tsv")
        case ("lesions.select", "probabilities"): anatomical(file, ["desc": "selected"], "probseg", ".nii.gz")
        case ("evaluate.segmentation", "table"): anatomical(file, ["desc": "segmentation"], "metrics", ".tsv")
        case ("evaluate.detection", "table"): anatomical(file, ["desc": "detection"], "metrics", ".tsv")
        case ("evaluate.detection", "lesions"): anatomical(file, ["desc": "detection"], "lesions", ".tsv")
        case ("subject.aggregate", "table"): anatomical(file, ["desc": "aggregate"], "roistats", ".tsv")
        case ("qc.pictures", "chimap_mosaic"): beside(file, "figures", ["desc": "chimap"], "qc", ".png")
        case ("qc.pictures", "t1w_mosaic"): beside(file, "figures", ["desc": "t1w"], "qc", ".png")
        case (_, "report") where file.context.subject != nil && file.kind != "command":
            beside(file, "reports", ["desc": file.step], "report", ".json")
        case ("cohort.linear-model", _), ("cohort.qc", _), ("evaluate.classification", _), ("evaluate.summary", _):
            "cohort/\(place(of: file))_\(file.port)\(suffix(of: file))"
        default: "other/\(file.step)/\(prefix(of: file))\(file.port)_\(Self.safe(file.name))"
        }
    }

    private func isWantedOnT1w(_ file: MadeFile) -> Bool {
        let inputs = files.inputs(of: file)
        guard let target = inputs.first(where: { $0.port == "target" })?.digest else { return false }
        return inputs.contains { $0.port == "t1w" && $0.digest == target }
    }

    /// Whether a file is about regions that a network found.
    private func isOfNetwork(_ file: MadeFile) -> Bool {
        guard let labels = files.inputs(of: file).first(where: { $0.port == "labels" }),
            let origin = files.origin(of: labels)
        else { return false }
        return origin.kind == "network.segment" || isOfNetwork(origin)
    }

    /// What the image is that a task was shown, as its name says: Chimap, T1w.
    private func imageSuffix(of file: MadeFile, port: String = "image") -> String {
        let name = files.inputs(of: file).first { $0.port == port }?.name ?? ""
        // A name that is not BIDS says nothing.
        return (try? BIDSName(parsing: name))?.suffix ?? "image"
    }

    /// Space of a target: that of the χ map for the map and for raw magnitudes, which stand in for it, else by its suffix.
    private func space(of file: MadeFile) -> String {
        let name = files.inputs(of: file).first { $0.port == "target" }?.name ?? ""
        // Swallowed: a name that is not BIDS says nothing, and the map is what most workflows have.
        guard let parsed = try? BIDSName(parsing: name), parsed["desc"] != nil else { return "Chimap" }
        return parsed.suffix
    }

    private func movingSuffix(of file: MadeFile) -> String {
        let suffix = imageSuffix(of: file, port: "t1w")
        return suffix == "image" ? "T1w" : suffix
    }

    private func anatomical(_ file: MadeFile, _ entities: [String: String], _ suffix: String, _ ending: String)
        -> String
    {
        beside(file, "anat", entities, suffix, ending)
    }

    private func beside(
        _ file: MadeFile, _ folder: String, _ entities: [String: String], _ suffix: String, _ ending: String
    ) -> String {
        var entities = entities
        // Files of an atlas carry its name; a fusion of several is of none, and what a network found is not either.
        if ["labels.native", "labels.refine", "roi.statistics"].contains(file.kind), atlases.count == 1,
            !isOfNetwork(file)
        {
            entities["atlas"] = atlases[0]
        }
        if let atlas = file.context.atlas { entities["atlas"] = atlas }
        if (stepsByKind[file.kind]?.count ?? 0) > 1 { entities["seg"] = file.step }
        let name = DerivativeName.make(
            subject: file.context.subject, session: file.context.session, suffix: suffix, fileExtension: ending,
            setting: entities)
        return DerivativeName.path(name, datatype: folder)
    }

    /// Maps of points: a point of the first space to the same place in the second.
    private func transform(
        _ file: MadeFile, from source: String, to target: String, _ what: String, _ ending: String
    ) -> String {
        var entities = ["from": source, "to": target, "mode": "points", "desc": what]
        if (stepsByKind[file.kind]?.count ?? 0) > 1 { entities["seg"] = file.step }
        let name = DerivativeName.make(
            subject: file.context.subject, session: file.context.session, suffix: "xfm", fileExtension: ending,
            setting: entities)
        return DerivativeName.path(name, datatype: "anat")
    }

    private func atlas(_ file: MadeFile) -> String { file.context.atlas ?? "atlas" }

    /// What a file over the cohort is named by: its step, and its fold where the step has one task for each.
    private func place(of file: MadeFile) -> String {
        file.step + (file.context.fold.map { "_fold-\($0)" } ?? "")
    }

    private func suffix(of file: MadeFile) -> String {
        file.name.firstIndex(of: ".").map { String(file.name[$0...]) } ?? ""
    }

    private func prefix(of file: MadeFile) -> String {
        file.context == .cohort ? "" : "\(file.context)_"
    }

    /// A name without what leads out of its folder.
    private static func safe(_ name: String) -> String {
        let name = name.replacing("/", with: "_")
        return name.hasPrefix(".") ? "_" + name : name
    }

    // MARK: Sidecars

    private func sidecar(of file: MadeFile, exported: [ReadFile.Maker: String]) -> JSONValue? {
        let inputs = files.inputs(of: file)
        var further: [String: JSONValue] = [:]
        if case .object(let members)? = file.metadata { further = members }
        func source(_ input: ReadFile) -> String? {
            if let maker = input.maker {
                return exported[maker].map { DerivativeDataset.uri(dataset: "", path: $0) }
            }
            return input.path.map(places.uri(of:))
        }
        func reference(_ port: String) -> String? { inputs.first { $0.port == port }.flatMap(source) }
        func described(_ text: String, _ ports: [String], reference: String?) -> JSONValue {
            var seen: Set<String> = []
            // The image that it lies on first, then the rest in the order of the ports.
            let sources = ports.flatMap { port in inputs.filter { $0.port == port } }.compactMap(source)
                .filter { seen.insert($0).inserted }
            return DerivativeDataset.sidecar(
                description: text, sources: sources, skullStripped: nil, spatialReference: reference, further: further)
        }
        switch (file.kind, file.port) {
        case ("brain.mask", "mask"):
            further["Type"] = "Brain"
            return described(
                "Brain mask on the grid of the T1-weighted image", ["t1w", "supplied"], reference: reference("t1w"))
        case ("labels.native", "labels"):
            return described(
                labelText("susceptibility map"), ["target", "t1w", "affine", "warp", "atlas_labels"],
                reference: reference("target"))
        case ("image.resample", "image"):
            return described(
                "Brought to the grid of another image", ["image", "target", "transform"],
                reference: reference("target"))
        case ("labels.refine", "labels"):
            return described(
                "Regions with the borders that the susceptibility map shows", ["image", "labels", "mask"],
                reference: reference("image"))
        case ("image.slab", let port):
            let what = [
                "chimap": "Susceptibility", "t1w": "T1-weighted image", "mask": "Brain mask",
                "labels": "Regions that the slab is laid about",
            ]
            if port == "mask" { further["Type"] = "Brain" }
            if port == "chimap" || port == "t1w" { further["SkullStripped"] = .bool(port == "chimap") }
            let map = exported[ReadFile.Maker(ordinal: file.ordinal, port: "chimap")]
            return described(
                "\(what[port] ?? port) on a slab upright in the space of the atlas, or of the scanner where there was none",
                ["chimap", "t1w", "brain", "mask", "labels", "transform", "affine", "atlas_labels"],
                reference: map.map { DerivativeDataset.uri(dataset: "", path: $0) })
        case ("network.train", "model"):
            // The card says all that there is to say, and is for people who have no reader of the format at hand.
            return [
                "Description": "Network with its weights, and the card that is in the file",
                "SHA256": .string(file.digest.hex), "Card": further["card"] ?? .null,
            ]
        case ("network.segment", "labels"):
            // A model of the store has no place in any dataset: its digest is its name.
            let models = inputs.filter { $0.port == "model" }.compactMap(\.digest).map { JSONValue.string($0.hex) }
            if !models.isEmpty { further["ModelSHA256"] = models.count == 1 ? models[0] : .array(models) }
            return described(
                "Regions found by a network", ["image", "image2", "image3", "image4", "model", "mask"],
                reference: reference("image"))
        case ("network.segment", "probabilities"):
            return described(
                "Probabilities of a network, volume n of label n",
                ["image", "image2", "image3", "image4", "model", "mask"], reference: reference("image"))
        case ("lesions.components", "labels"):
            return described(
                "Lesions by number; the table beside it says what each is", ["labels", "chimap", "probabilities"],
                reference: reference("chimap") ?? reference("labels"))
        case ("lesions.candidates", "labels"):
            return described(
                "Candidates by number, a ball each; the table beside it says what each is like",
                ["image", "chimap", "mask"], reference: reference("image"))
        case ("lesions.select", "labels"):
            return described(
                "Classes of lesions that a classifier decided for", ["lesions", "decisions"],
                reference: reference("lesions"))
        case ("lesions.select", "probabilities"):
            return described(
                "Probabilities of a classifier in the lesions that it judged, volume n of label n",
                ["lesions", "decisions"], reference: reference("lesions"))
        case ("labels.native", "labels_t1w"):
            return described(
                labelText("T1-weighted image"), ["t1w", "affine", "warp", "atlas_labels"], reference: reference("t1w"))
        case ("registration.atlas", "warp"):
            return described(
                "Displacements in mm of points of the T1w world (RAS+), applied before the affine map to the atlas",
                ["t1w", "atlas_t1w", "chimap", "atlas_chimap"], reference: reference("t1w"))
        case ("registration.atlas", "inverse_warp"):
            return described(
                "Displacements in mm of points of the T1w world (RAS+), applied after the inverse of the affine map",
                ["t1w", "atlas_t1w", "chimap", "atlas_chimap"], reference: reference("t1w"))
        default: return nil
        }
    }

    private func labelText(_ grid: String) -> String {
        let from =
            atlases.count == 1 ? "of atlas \(atlases[0])" : "fused from atlases \(atlases.joined(separator: ", "))"
        return "Regions \(from) on the grid of the \(grid)"
    }
}

/// How files outside the exported dataset are named in it.
struct SourcePlaces: Sendable {
    /// Link name and absolute path of each dataset that was read, the longest path first.
    private let links: [(name: String, path: String)]

    init(_ request: RunRequest) {
        var links = [("raw", request.dataset)]
        for path in request.derivatives {
            let folder = DerivativeName.label(path.split(separator: "/").last.map(String.init) ?? "derivative")
            let taken = links.filter { $0.0 == folder || $0.0.hasPrefix(folder + "+") }.count
            links.append((taken == 0 && !folder.isEmpty ? folder : "\(folder)+\(taken + 1)", path))
        }
        // A derivative dataset usually lies inside the raw one.
        self.links = links.sorted { $0.1.utf8.count > $1.1.utf8.count }
    }

    func uri(of path: String) -> String {
        for (name, root) in links where path.hasPrefix(root + "/") {
            return DerivativeDataset.uri(dataset: name, path: String(path.dropFirst(root.count + 1)))
        }
        return URL(fileURLWithPath: path).absoluteString
    }

    /// For `DatasetLinks`: each dataset's place, relative where the export lies inside the raw dataset.
    func datasetLinks(from folder: String) -> [String: String] {
        Dictionary(uniqueKeysWithValues: links.map { ($0.name, Self.link(to: $0.path, from: folder)) })
    }

    private static func link(to path: String, from folder: String) -> String {
        let target = path.split(separator: "/")
        let start = folder.split(separator: "/")
        let common = zip(target, start).prefix { $0 == $1 }.count
        // A relative place survives a move of both together; across the file system it would only confuse.
        guard common > 0, start.count - common <= 3 else { return URL(fileURLWithPath: path).absoluteString }
        let steps = Array(repeating: "..", count: start.count - common) + target[common...].map(String.init)
        return steps.isEmpty ? "." : steps.joined(separator: "/")
    }
}
