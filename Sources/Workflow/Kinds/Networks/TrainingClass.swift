import BIDS

/// A class a network is to tell apart: its name, and what it is in label maps, by numbers or by names of regions.
package struct TrainingClass: Sendable, Hashable {
    package var name: String
    package var labels: Set<UInt16>
    /// Names of which the table of a label map has one or more; all that it has belong to the class.
    package var regions: Set<String>

    package init(name: String, labels: Set<UInt16> = [], regions: Set<String> = []) {
        (self.name, self.labels, self.regions) = (name, labels, regions)
    }

    /// Most classes beside background: those that a label map of a model can hold.
    private static let most = 255

    private static let example =
        "{name: caudate, labels: [1, 2]} or {name: caudate, regions: [left_caudate, right_caudate]}"

    /// The parameter `classes` of `network.train`: background is not among them, and none means one class of all that is
    /// labelled.
    package static func all(_ settings: StepSettings) throws(StepFinding) -> [TrainingClass] {
        let list = settings.list("classes")
        guard list.count <= most else {
            throw refusal(
                "\(list.count) classes are more than the \(most) beside background that a label map of a model can hold"
            )
        }
        var owners: [UInt16: String] = [:]
        var namesakes: [String: String] = [:]
        var classes: [TrainingClass] = []
        for value in list {
            let one = try read(value)
            if classes.contains(where: { $0.name == one.name }) {
                throw refusal("\(one.name) is named twice; give it all that belongs to it in one place")
            }
            for label in one.labels.sorted() {
                if let other = owners.updateValue(one.name, forKey: label) {
                    throw refusal("label \(label) belongs to both \(other) and \(one.name)")
                }
            }
            for region in one.regions.sorted() {
                if let other = namesakes.updateValue(one.name, forKey: region) {
                    throw refusal("the region \(region) belongs to both \(other) and \(one.name)")
                }
            }
            classes.append(one)
        }
        return classes
    }

    private static func refusal(_ sentence: String) -> StepFinding { StepFinding("classes", sentence) }

    private static func read(_ value: JSONValue) throws(StepFinding) -> TrainingClass {
        guard let name = value["name"]?.stringValue, !name.isEmpty else {
            throw refusal("a class is \(example), not \(value.canonicalString)")
        }
        if name == "background" {
            throw refusal("background is a class by itself, of all that no other class has; leave it out")
        }
        let known = ["name", "labels", "regions"]
        for key in (value.objectValue ?? [:]).keys.sorted() where !known.contains(key) {
            throw refusal("class \(name) has no “\(key)”\(Suggestion.clause(for: key, among: known))")
        }
        switch (value["labels"], value["regions"]) {
        case (let labels?, nil): return TrainingClass(name: name, labels: try numbers(labels, of: name))
        case (nil, let regions?): return TrainingClass(name: name, regions: try texts(regions, of: name))
        case (nil, nil): throw refusal("a class is \(example), not \(value.canonicalString)")
        default: throw refusal("class \(name) has labels and regions; keep one of them")
        }
    }

    private static func numbers(_ value: JSONValue, of name: String) throws(StepFinding) -> Set<UInt16> {
        guard let list = value.arrayValue, !list.isEmpty else {
            throw refusal("the labels of class \(name) are a list of numbers, not \(value.canonicalString)")
        }
        var numbers: Set<UInt16> = []
        for label in list {
            guard let number = label.integerValue, number > 0, number <= UInt16.max else {
                throw refusal(
                    "class \(name) has the label \(label.canonicalString); labels are whole numbers from 1 to 65535")
            }
            numbers.insert(UInt16(number))
        }
        return numbers
    }

    private static func texts(_ value: JSONValue, of name: String) throws(StepFinding) -> Set<String> {
        guard let list = value.arrayValue, !list.isEmpty else {
            throw refusal("the regions of class \(name) are a list of names, not \(value.canonicalString)")
        }
        var texts: Set<String> = []
        for region in list {
            guard let text = region.stringValue, !text.isEmpty else {
                throw refusal(
                    "class \(name) has the region \(region.canonicalString); regions go by their names in the tables, numbers "
                        + "are labels")
            }
            texts.insert(text)
        }
        return texts
    }

    /// Names of what a segmentation tells apart, background first.
    package static func names(_ settings: StepSettings) throws(StepFinding) -> [String] {
        let classes = try all(settings)
        return ["background"] + (classes.isEmpty ? ["foreground"] : classes.map(\.name))
    }
}
