# Completion for bash: commands, the options of the program's own help, names of drivers, workloads
# and suites. Loaded by itself once aioscope is installed; before: source scripts/completion.bash
_aioscope() {
  # Not COMP_WORDS, where bash has taken names such as kioctx@v3.7 apart.
  local words word names="" command="" commands at
  read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
  if [[ ${COMP_LINE:0:COMP_POINT} == *" " ]]; then words+=(""); fi
  word="${words[-1]}"
  for ((at = 1; at < ${#words[@]} - 1; ++at)); do
    if [[ ${words[at]} != -* ]]; then command="${words[at]}" && break; fi
  done
  case "${words[-2]}" in
    --driver | --base-driver | --new-driver) names="$("${words[0]}" list drivers 2>/dev/null)" ;;
    --workload) names="$("${words[0]}" list workloads 2>/dev/null)" ;;
    --suite) names="$("${words[0]}" list suites 2>/dev/null)" ;;
  esac
  if [[ -n $names ]]; then
    names="$(sed -n 's/^  \([^ ]\{1,\}\) .*/\1/p' <<< "$names")"
  elif [[ $word == -* ]]; then
    names="$("${words[0]}" ${command:+"$command"} --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*')"
  elif [[ -z $command ]]; then
    commands='/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
    names="$("${words[0]}" --help 2>/dev/null | sed -n "$commands")"
  elif [[ $command == list ]]; then
    names="drivers workloads targets suites stages layers counters"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word" | sort -u)
  # What stands before the last @ is a word of its own to bash, which must not be given again.
  COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*@}"}"}")
}
complete -o default -F _aioscope aioscope
