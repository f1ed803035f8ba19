//! `wye endpoint`: workloads, each one a network namespace with interfaces on networks.

use std::path::Path;

use clap::{Args, Subcommand};

use super::{
    error::CliError,
    network::AttachmentArgs,
    objects::{Inspect, Ls, Rm},
    output::{self, Listed, joined},
    parse::{self, LabelWord},
    place::{Place, absolute_path},
};
use crate::api::{
    routes,
    types::{Endpoint, EndpointAdd, EndpointState, LabelChange, NetnsChoice},
};

const EXAMPLES: &str = "\
Examples:
  wye endpoint add web --network red --create-netns
  wye endpoint add db --network red --netns /proc/4711/ns/net --ip 10.1.0.7 --label app=db
  wye endpoint ls
  wye endpoint label web tier=front old-
  wye endpoint rm web db";

/// Add, show and remove endpoints.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct EndpointArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(Add),
    /// List endpoints.
    Ls(Ls),
    /// Show everything about endpoints.
    Inspect(Inspect),
    /// Remove endpoints and their interfaces.
    Rm(Rm),
    Label(Label),
}

/// Give a network namespace an interface on a network.
#[derive(Debug, Args)]
struct Add {
    /// The endpoint's name, unique in the instance.
    name: String,
    /// The network.
    #[arg(long, value_name = "NET")]
    network: String,
    /// The endpoint's network namespace: a path, or a name under /run/netns.
    #[arg(long, value_name = "PATH|NAME", conflicts_with = "create_netns")]
    netns: Option<String>,
    /// Make a network namespace for the endpoint, which goes with it; so it is without --netns. It is called as the endpoint,
    /// NAME@INSTANCE beside the default instance.
    #[arg(long)]
    create_netns: bool,
    #[command(flatten)]
    how: AttachmentArgs,
    /// A label.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse::key_value)]
    labels: Vec<(String, String)>,
    /// The Kubernetes namespace that it belongs to [default: default].
    #[arg(long, value_name = "NS")]
    namespace: Option<String>,
}

/// Put labels on an endpoint, or take them off.
#[derive(Debug, Args)]
struct Label {
    /// The endpoint.
    name: String,
    /// KEY=VALUE puts a label on, KEY- takes it off.
    #[arg(required = true, value_name = "KEY=VALUE|KEY-")]
    labels: Vec<LabelWord>,
}

impl Listed for Endpoint {
    const COLUMNS: &'static [&'static str] = &["NAME", "NETWORKS", "IPS", "STATE"];
    const WIDE: &'static [&'static str] =
        &["MACS", "INTERFACES", "NETNS", "NAMESPACE", "LABELS", "REASON", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let attachments = &self.attachments;
        vec![
            self.name.clone(),
            joined(attachments.iter().map(|attachment| &attachment.network)),
            joined(attachments.iter().flat_map(|attachment| &attachment.ips)),
            state(self.state).to_owned(),
            joined(attachments.iter().map(|attachment| &attachment.mac)),
            joined(
                attachments
                    .iter()
                    .map(|attachment| format!("{}@{}", attachment.ifname, attachment.host_ifname)),
            ),
            self.netns.path.display().to_string(),
            self.namespace.clone(),
            joined(self.labels.iter().map(|(key, value)| format!("{key}={value}"))),
            self.reason.clone().unwrap_or_default(),
            self.created.clone(),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// The word for a state, as JSON has it.
pub(super) fn state(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Ready => "ready",
        EndpointState::Broken => "broken",
        EndpointState::Stale => "stale",
    }
}

pub(super) fn run(args: &EndpointArgs, place: &Place) -> Result<(), CliError> {
    let client = place.client()?;
    match &args.verb {
        Verb::Add(add) => {
            let endpoint: Endpoint = client.post(routes::ENDPOINTS, &request(add)?)?;
            output::line(endpoint.name)
        }
        Verb::Ls(ls) => ls.run::<Endpoint>(&client, routes::ENDPOINTS),
        Verb::Inspect(inspect) => inspect.run::<Endpoint>(&client, routes::ENDPOINT),
        Verb::Rm(rm) => rm.run(&client, routes::ENDPOINT),
        Verb::Label(label) => {
            let path = routes::fill(routes::ENDPOINT_LABELS, &[&label.name]);
            let change = label_change(&label.labels)
                .map_err(|why| CliError::Usage { command: "endpoint label", why })?;
            let endpoint: Endpoint = client.patch(&path, &change)?;
            output::line(endpoint.name)
        }
    }
}

fn request(add: &Add) -> Result<EndpointAdd, CliError> {
    Ok(EndpointAdd {
        name: add.name.clone(),
        network: add.network.clone(),
        netns: add.netns.as_deref().map_or(Ok(NetnsChoice::Create), existing_netns)?,
        namespace: add.namespace.clone(),
        labels: parse::distinct(&add.labels)
            .map_err(|why| CliError::Usage { command: "endpoint add", why })?,
        connect: (&add.how).into(),
    })
}

/// The daemon runs in another directory: a path has to be absolute.
fn existing_netns(text: &str) -> Result<NetnsChoice, CliError> {
    let path = if text.contains('/') { absolute_path(Path::new(text))? } else { text.into() };
    Ok(NetnsChoice::Existing(path.to_string_lossy().into_owned()))
}

/// Fails where two words are about the same label.
fn label_change(words: &[LabelWord]) -> Result<LabelChange, String> {
    let keys: Vec<_> = words.iter().map(|word| (word.key().to_owned(), String::new())).collect();
    parse::distinct(&keys)?;
    let mut change = LabelChange::default();
    for word in words.iter().cloned() {
        match word {
            LabelWord::Set(key, value) => drop(change.set.insert(key, value)),
            LabelWord::Remove(key) => change.remove.push(key),
        }
    }
    Ok(change)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn change(words: &[&str]) -> Result<LabelChange, String> {
        let words: Vec<LabelWord> = words.iter().map(|word| word.parse().expect("a label word")).collect();
        label_change(&words)
    }

    #[test]
    fn labels_are_put_on_and_taken_off_in_one_go() {
        let change = change(&["a=1", "b-"]).expect("a change");
        assert_eq!(change.set, BTreeMap::from([("a".into(), "1".into())]));
        assert_eq!(change.remove, ["b"]);
    }

    #[test]
    fn two_words_about_one_label_are_refused() {
        for words in [["a=1", "a=2"], ["a=1", "a-"], ["a-", "a-"]] {
            assert_eq!(change(&words), Err("a is given twice".to_owned()), "{words:?}");
        }
    }
}
