import BIDS

/// The channels of a network as a step describes them, against the images that it binds.
///
/// What a channel's description may say is known in full to the library of networks, which a coordinator does not link; a
/// test holds the two against each other.
package enum TrainingChannels {
    package static let normalisations = ["none", "clip", "zscore", "zscore_padded", "zscore_mask", "percentiles"]
    package static let keys = ["modality", "units", "normalise", "range", "size"]

    /// BIDS suffixes, in order.
    static func modalities(_ settings: StepSettings) throws(StepFinding) -> [String] {
        let list = settings.list("channels")
        var names: [String] = []
        for (n, value) in list.enumerated() {
            guard let name = value["modality"]?.stringValue, !name.isEmpty else {
                throw StepFinding(
                    "channels",
                    "channel \(n + 1) is {modality: Chimap, units: ppm, normalise: clip, range: [-0.25, 0.25]} or a part of it "
                        + "with the modality, not \(value.canonicalString)")
            }
            names.append(name)
        }
        return names.isEmpty ? ["Chimap"] : names
    }

    static func check(_ settings: StepSettings) throws(StepFinding) {
        let modalities = try modalities(settings)
        for (n, value) in settings.list("channels").enumerated() {
            try check(value, "channel \(n + 1) (\(modalities[n]))", modalities[n], settings)
        }
        guard settings.isBound("images") != nil else { return }
        let bound = try ImagePorts.bound(settings, ["images", "images2", "images3", "images4"])
        guard bound == modalities.count else {
            let isStated = !settings.list("channels").isEmpty
            let ports = "\(bound) \(bound == 1 ? "port of images is" : "ports of images are") bound"
            throw StepFinding(
                isStated ? .parameter("channels") : .inputs,
                "\(ports) and channels \(isStated ? "describes \(modalities.count)" : "by itself means one χ map"); describe "
                    + "every channel in order, and bind images, images2, … for them")
        }
    }

    private static func check(
        _ value: JSONValue, _ what: String, _ modality: String, _ settings: StepSettings
    ) throws(StepFinding) {
        func refuse(_ sentence: String) -> StepFinding { StepFinding("channels", "\(what) \(sentence)") }
        for key in (value.objectValue ?? [:]).keys.sorted() where !keys.contains(key) {
            throw refuse("has no “\(key)”\(Suggestion.clause(for: key, among: keys))")
        }
        let isChi = modality == "Chimap"
        if isChi, let units = value["units"], units != "ppm" {
            throw refuse("has the units ppm, not \(units.stringValue ?? units.canonicalString)")
        }
        let name = value["normalise"]
        if let name, name.stringValue.map(normalisations.contains) != true {
            throw refuse(
                "is to be normalised by “\(name.stringValue ?? name.canonicalString)”; there are "
                    + normalisations.joined(separator: ", "))
        }
        if name == "clip", !isChi, value["range"] == nil { throw refuse("is clipped and needs range: [low, high]") }
        if let range = value["range"] {
            let ends = (range.arrayValue ?? []).compactMap(\.doubleValue)
            guard ends.count == 2, range.arrayValue?.count == 2, ends[0] < ends[1] else {
                throw refuse("has the range \(range.canonicalString), which is two rising numbers")
            }
        }
        if let size = value["size"] {
            guard name == "zscore_padded" else { throw refuse("has a size, which belongs to zscore_padded") }
            let edges = (size.arrayValue ?? []).compactMap(\.integerValue)
            guard edges.count == 2, size.arrayValue?.count == 2, edges.allSatisfy({ 1...65_536 ~= $0 }) else {
                throw refuse("has the size \(size.canonicalString), which is two numbers of voxels: [256, 256]")
            }
        }
        if name == "zscore_mask", settings.isBound("masks") == false {
            throw refuse("is normalised inside a mask; bind masks, or normalise by zscore")
        }
    }
}

/// Ports of one channel each, of which the first so many are bound.
enum ImagePorts {
    /// - Throws: where one is bound and the one before it is not.
    static func bound(_ settings: StepSettings, _ ports: [String]) throws(StepFinding) -> Int {
        let count = ports.prefix { settings.isBound($0) == true }.count
        for port in ports.dropFirst(count) where settings.isBound(port) == true {
            throw StepFinding(.input(port), "\(port) is bound and \(ports[count]) is not; channels are bound in order")
        }
        return count
    }
}
