// A validator that keeps kubectl and helm in their namespaces.
//
// Settings: {"namespaces": ["shop", "shop-staging"]}. The namespace has to stand on the command line; what reaches over
// all namespaces, names another cluster or another login, or stands behind a wrapper, is objected to.
//
// Limit: what a manifest says is not seen; a namespace in a file of `kubectl apply -f` is the cluster's to refuse.

const PROGRAMS = ['kubectl', 'helm'];
const EVERYWHERE = ['-A', '--all-namespaces'];
// Another cluster, another login: the namespace would be another one of the same name.
const ELSEWHERE = ['--kubeconfig', '--context', '--kube-context', '--cluster', '--server', '-s', '--as', '--user', '--token'];

const base = (word) => word.slice(word.lastIndexOf('/') + 1);
const no = (reason) => ({ tag: 'objection', val: { code: 'namespace', reason } });

function namespaces(settings) {
  const { namespaces: allowed, ...rest } = JSON.parse(settings);
  const texts = Array.isArray(allowed) && allowed.every((name) => typeof name === 'string');
  if (!texts || allowed.length === 0 || Object.keys(rest).length > 0) {
    throw 'settings: expected {"namespaces": [names]}';
  }
  return allowed;
}

function judge(leaf, allowed) {
  const [program, ...words] = leaf.argv;
  if (!PROGRAMS.includes(base(program ?? ''))) {
    const inner = words.find((word) => PROGRAMS.includes(base(word)));
    return inner === undefined ? null : `${program} runs ${inner}; name it alone.`;
  }
  if (leaf.openWords.length > 0) {
    return 'Only the remote shell knows all of the words.';
  }
  let named = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    const [option, value] = word.includes('=') ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word, undefined];
    if (word === '--') {
      break; // what follows is run in a container
    }
    if (EVERYWHERE.includes(option)) {
      return 'It reaches over all namespaces.';
    }
    if (ELSEWHERE.includes(option)) {
      return `${option} leads to another cluster or login.`;
    }
    if (option === '-n' || option === '--namespace') {
      named.push(value ?? words[(at += 1)] ?? '');
    } else if (word.startsWith('-n') && !word.startsWith('--')) {
      named.push(word.slice(2));
    }
  }
  if (named.length !== 1) {
    return 'The namespace has to be named once, with -n.';
  }
  return allowed.includes(named[0]) ? null : `The namespace ${named[0]} is not one of those that are allowed.`;
}

export const validator = {
  validate(context) {
    const allowed = namespaces(context.settings);
    for (const leaf of context.leaves) {
      const reason = judge(leaf, allowed);
      if (reason !== null) {
        return no(reason);
      }
    }
    return { tag: 'no-objection' };
  },
};
