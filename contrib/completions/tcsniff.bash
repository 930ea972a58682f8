# SPDX-License-Identifier: BSD-2-Clause
# Completion of tcsniff and tctable for bash: their options are what --help says.

_tcsniff_options()
{
	"$@" --help 2>/dev/null | grep -oE -- '(^|[ ,])--?[a-zA-Z][a-z-]*' | tr -d ' ,' | sort -u
}

_tcsniff()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	case $before in
	-i | --interface)
		COMPREPLY=($(compgen -W "any $(ls /sys/class/net)" -- "$word")) ;;
	--user)
		COMPREPLY=($(compgen -u -- "$word")) ;;
	--socket-group)
		COMPREPLY=($(compgen -g -- "$word")) ;;
	--direction)
		COMPREPLY=($(compgen -W "inner nic" -- "$word")) ;;
	--fanout-mode)
		COMPREPLY=($(compgen -W "cbpf hash cpu qm" -- "$word")) ;;
	--log-level)
		COMPREPLY=($(compgen -W "error warning notice info debug" -- "$word")) ;;
	-r | --read | --config | --socket)
		COMPREPLY=($(compgen -f -- "$word")) ;;
	*)
		case $word in
		-*) COMPREPLY=($(compgen -W "$(_tcsniff_options "$1")" -- "$word")) ;;
		*) COMPREPLY=() ;;
		esac ;;
	esac
}

_tctable()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local view=

	case " ${COMP_WORDS[*]} " in
	*" top "* | *" -t "*) view=top ;;
	*" metrics "*) view=metrics ;;
	esac
	case $before in
	--sort)
		if [ "$view" = top ]; then
			COMPREPLY=($(compgen -W "host tx rx txp rxp total conn half" -- "$word"))
		else
			COMPREPLY=($(compgen -W "tx rx bytes packets conns ip last" -- "$word"))
		fi ;;
	--group)
		COMPREPLY=($(compgen -W "/24,/64 /16,/48" -- "$word")) ;;
	--socket)
		COMPREPLY=($(compgen -f -- "$word")) ;;
	*)
		case $word in
		-*) COMPREPLY=($(compgen -W "$(_tcsniff_options "$1" $view)" -- "$word")) ;;
		*) COMPREPLY=($(compgen -W "${view:-top doctor metrics}" -- "$word")) ;;
		esac ;;
	esac
}

complete -F _tcsniff tcsniff
complete -F _tctable tctable
